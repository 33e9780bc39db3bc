import { escapeHtml } from './words.ts'

/** What a message is made of. Text and HTML are two views of the same list, so they cannot tell different things. */
export type Block =
  | { readonly kind: 'paragraph'; readonly text: string }
  | { readonly kind: 'small'; readonly text: string }
  | { readonly kind: 'code'; readonly text: string }
  | { readonly kind: 'list'; readonly items: readonly string[] }
  | { readonly kind: 'facts'; readonly rows: readonly (readonly [name: string, value: string])[] }
  | { readonly kind: 'quote'; readonly text: string }
  | { readonly kind: 'button'; readonly label: string; readonly url: string; readonly fallback: string }

export type MailPage = {
  readonly language: string
  readonly subject: string
  readonly title: string
  readonly blocks: readonly Block[]
  /** Why this message came; the last line. */
  readonly footer: string
}

/** The message for programs that show text only, and for people who prefer it. */
export const textOf = (page: MailPage): string =>
  `${[page.title, ...page.blocks.map(textBlock), `-- \n${page.footer}`].join('\n\n')}\n`

function textBlock(block: Block): string {
  switch (block.kind) {
    case 'paragraph':
    case 'small':
      return block.text
    case 'code':
      return `    ${block.text}`
    case 'list':
      return block.items.map((item) => `- ${item}`).join('\n')
    case 'facts':
      return block.rows.map(([name, value]) => `${name}: ${value}`).join('\n')
    case 'quote':
      return block.text
        .split('\n')
        .map((line) => `> ${line}`.trimEnd())
        .join('\n')
    case 'button':
      return `${block.label}:\n${block.url}`
  }
}

// 7:1 on white and 7:1 under white text (WCAG AAA), so that the button needs no second colour in the dark.
const accent = '#1d4f8f'
const font = 'font-family:system-ui,-apple-system,"Segoe UI",Roboto,Helvetica,Arial,sans-serif'
const mono = 'font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace'

// Programs that know no style sheets show black on white; those that know them follow the reader's scheme.
const style = `:root{color-scheme:light dark;supported-color-schemes:light dark}
body{margin:0;padding:0}
@media (prefers-color-scheme:dark){.page{background:#16181c!important;color:#e8eaed!important}.quiet{color:#b6bbc2!important}.line{border-color:#4a4f57!important}.plain{color:#a9c7f2!important}}`

/** The message as a page without images, scripts or addresses that are fetched. */
export function htmlOf(page: MailPage): string {
  const body = page.blocks.map(htmlBlock).join('\n')
  return `<!doctype html>
<html lang="${escapeHtml(page.language)}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light dark"><title>${escapeHtml(page.subject)}</title><style>${style}</style></head>
<body class="page" style="margin:0;background:#fff;color:#1b1d21"><div role="article" aria-label="${escapeHtml(page.subject)}" class="page" style="max-width:560px;margin:0 auto;padding:32px 20px;background:#fff;color:#1b1d21;${escapeHtml(font)};font-size:16px;line-height:1.55">
<h1 style="margin:0 0 16px;font-size:24px;line-height:1.25">${escapeHtml(page.title)}</h1>
${body}
<p class="quiet line" style="margin:32px 0 0;padding-top:16px;border-top:1px solid #c9cdd3;color:#555b64;font-size:14px">${escapeHtml(page.footer)}</p>
</div></body></html>
`
}

function htmlBlock(block: Block): string {
  switch (block.kind) {
    case 'paragraph':
      return `<p style="margin:0 0 16px">${escapeHtml(block.text)}</p>`
    case 'small':
      return `<p class="quiet" style="margin:0 0 16px;color:#555b64;font-size:14px">${escapeHtml(block.text)}</p>`
    case 'code':
      return `<p class="line" style="margin:0 0 16px;padding:16px;border:1px solid #c9cdd3;border-radius:8px;text-align:center;font-size:32px;line-height:1.2;letter-spacing:.2em;${mono}"><strong>${escapeHtml(block.text)}</strong></p>`
    case 'list':
      return `<ul style="margin:0 0 16px;padding-left:24px">${block.items.map((item) => `<li style="margin:0 0 4px">${escapeHtml(item)}</li>`).join('')}</ul>`
    case 'facts':
      return `<table style="margin:0 0 16px;border-collapse:collapse;font-size:16px">${block.rows.map(factRow).join('')}</table>`
    case 'quote':
      return `<blockquote class="line" style="margin:0 0 16px;padding:4px 16px;border-left:3px solid #c9cdd3">${escapeHtml(block.text).replaceAll('\n', '<br>')}</blockquote>`
    case 'button':
      return buttonHtml(block)
  }
}

const factRow = ([name, value]: readonly [string, string]): string =>
  `<tr><th scope="row" class="quiet" style="padding:2px 16px 2px 0;text-align:left;vertical-align:top;font-weight:400;color:#555b64">${escapeHtml(name)}</th><td style="padding:2px 0;font-variant-numeric:tabular-nums;overflow-wrap:anywhere">${escapeHtml(value)}</td></tr>`

const buttonHtml = ({ label, url, fallback }: Extract<Block, { kind: 'button' }>): string =>
  `<p style="margin:24px 0 8px"><a href="${escapeHtml(url)}" style="display:inline-block;padding:12px 24px;border-radius:8px;background:${accent};color:#fff;font-weight:600;text-decoration:none">${escapeHtml(label)}</a></p>
<p class="quiet" style="margin:0 0 24px;color:#555b64;font-size:14px;overflow-wrap:anywhere">${escapeHtml(fallback)} <a class="plain" href="${escapeHtml(url)}" style="color:${accent}">${escapeHtml(url)}</a></p>`
