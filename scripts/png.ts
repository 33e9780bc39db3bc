/** Makes a screenshot small: a picture of a page has few colours, and a palette of 256 holds them. */
import { crc32, deflateSync, inflateSync } from 'node:zlib'

type Pixels = { readonly width: number; readonly height: number; readonly rgb: Uint8Array }

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
const coloursMax = 256

function* chunksOf(png: Buffer): Generator<{ readonly type: string; readonly data: Buffer }> {
  for (let at = signature.length; at < png.length; ) {
    const length = png.readUInt32BE(at)
    yield { type: png.toString('latin1', at + 4, at + 8), data: png.subarray(at + 8, at + 8 + length) }
    at += length + 12
  }
}

const paeth = (left: number, up: number, corner: number): number => {
  const [a, b, c] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)]
  return a <= b && a <= c ? left : b <= c ? up : corner
}

/** Eight bits, RGB or RGBA, not interlaced: what Chromium writes. Throws for anything else. */
function decode(png: Buffer): Pixels {
  const chunks = [...chunksOf(png)]
  const head = chunks[0]?.data
  const [depth, colour, interlaced] = [head?.[8], head?.[9], head?.[12]]
  const channels = colour === 2 ? 3 : colour === 6 ? 4 : 0
  if (head === undefined || depth !== 8 || channels === 0 || interlaced !== 0) throw new Error('not a picture we read')
  const [width, height] = [head.readUInt32BE(0), head.readUInt32BE(4)]
  const raw = inflateSync(Buffer.concat(chunks.filter((it) => it.type === 'IDAT').map((it) => it.data)))
  const stride = width * channels
  const rows = new Uint8Array(stride * height)
  const rgb = new Uint8Array(width * height * 3)
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (stride + 1)]
    for (let x = 0; x < stride; x++) {
      const at = y * stride + x
      const left = x < channels ? 0 : (rows[at - channels] ?? 0)
      const up = y === 0 ? 0 : (rows[at - stride] ?? 0)
      const corner = x < channels || y === 0 ? 0 : (rows[at - stride - channels] ?? 0)
      const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter ?? 0] ?? 0
      rows[at] = (raw[y * (stride + 1) + 1 + x] ?? 0) + guess
    }
    for (let x = 0; x < width; x++)
      for (let c = 0; c < 3; c++) rgb[(y * width + x) * 3 + c] = rows[y * stride + x * channels + c] ?? 0
  }
  return { width, height, rgb }
}

const chunk = (type: string, data: Uint8Array): Buffer => {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const length = Buffer.alloc(4)
  length.writeUInt32BE(data.length)
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(crc32(body))
  return Buffer.concat([length, body, sum])
}

/** Fewer bits per channel until the palette holds all colours; soft edges of letters take most of them. */
function coloursOf({ rgb }: Pixels): { readonly palette: readonly number[]; readonly index: Uint8Array } {
  for (let bits = 8; ; bits--) {
    const mask = (0xff << (8 - bits)) & 0xff
    const known = new Map<number, number>()
    const palette: number[] = []
    const index = new Uint8Array(rgb.length / 3)
    for (let i = 0; i < index.length && palette.length <= coloursMax; i++) {
      const colour = ((rgb[i * 3] ?? 0) << 16) | ((rgb[i * 3 + 1] ?? 0) << 8) | (rgb[i * 3 + 2] ?? 0)
      const key = colour & ((mask << 16) | (mask << 8) | mask)
      let at = known.get(key)
      if (at === undefined) {
        at = palette.length
        known.set(key, at)
        // The first of its kind speaks for all, so that white stays white.
        palette.push(colour)
      }
      index[i] = at
    }
    if (palette.length <= coloursMax) return { palette, index }
  }
}

export function shrink(png: Buffer): Buffer {
  const pixels = decode(png)
  const { width, height } = pixels
  const { palette, index } = coloursOf(pixels)
  const head = Buffer.alloc(13)
  head.writeUInt32BE(width, 0)
  head.writeUInt32BE(height, 4)
  head.set([8, 3, 0, 0, 0], 8)
  const rows = Buffer.alloc((width + 1) * height)
  for (let y = 0; y < height; y++) rows.set(index.subarray(y * width, (y + 1) * width), y * (width + 1) + 1)
  const colours = Uint8Array.from(palette.flatMap((it) => [it >> 16, (it >> 8) & 0xff, it & 0xff]))
  return Buffer.concat([
    signature,
    chunk('IHDR', head),
    chunk('PLTE', colours),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', new Uint8Array()),
  ])
}
