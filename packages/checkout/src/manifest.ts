import { attributes, cssProperties, elements, events } from './description.ts'

const propertyOf = (attribute: string): string => attribute.replace(/-(\w)/g, (_, c: string) => c.toUpperCase())

/** The custom-elements manifest (schema 1.0.0) that editors and documentation tools read. */
export function manifest(): string {
  const modules = elements.map((element) => ({
    kind: 'class',
    ...{ name: element.className, tagName: element.tag, customElement: true, description: element.text },
    attributes: element.attributes.map((name) => ({
      ...{ name, fieldName: propertyOf(name) },
      ...{ type: { text: attributes[name]?.type }, description: attributes[name]?.text },
    })),
    events: element.events.map((name) => ({
      ...{ name, type: { text: 'CustomEvent<{ status: Status; orderRef: string | null }>' } },
      description: events[name],
    })),
    cssParts: element.parts.map(({ name, text }) => ({ name, description: text })),
    cssProperties: cssProperties.map(({ name, type, text }) => ({ name, syntax: type, description: text })),
  }))
  const path = 'src/host/elements.ts'
  const declared = {
    kind: 'javascript-module',
    path,
    declarations: modules,
    exports: modules.map(({ name, tagName }) => ({
      ...{ kind: 'custom-element-definition', name: tagName },
      declaration: { name, module: path },
    })),
  }
  return `${JSON.stringify({ schemaVersion: '1.0.0', modules: [declared] }, null, 2)}\n`
}

const row = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n')

/** The same table for people, as it stands in the guide. */
export const markdown = (): string =>
  [
    table(
      ['element', 'what it is', 'attributes', 'part'],
      elements.map((it) => [`\`<${it.tag}>\``, it.text, it.attributes.join(', '), it.parts.map((p) => p.name).join()]),
    ),
    table(
      ['attribute', 'values', 'meaning'],
      Object.entries(attributes).map(([name, it]) => [`\`${name}\``, `\`${it.type}\``, it.text]),
    ),
    table(
      ['event', 'when'],
      Object.entries(events).map(([name, text]) => [`\`${name}\``, text]),
    ),
    table(
      ['CSS property', 'value', 'meaning'],
      cssProperties.map((it) => [`\`${it.name}\``, it.type, it.text]),
    ),
  ].join('\n\n')
