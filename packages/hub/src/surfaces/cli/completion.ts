import type { Registry } from '#action/define.ts'
import { fieldsOf } from '../describe.ts'
import { optionNames } from './args.ts'
import { UsageError } from './types.ts'
import { kebab } from './words.ts'

type Word = { readonly name: string; readonly summary: string; readonly flags: readonly string[] }

const wordsOf = (registry: Registry, commands: Readonly<Record<string, { readonly summary: string }>>): Word[] => [
  ...registry.all.map((it) => {
    const fields = fieldsOf(it.inputSchema).filter((field) => !field.path.includes('[]'))
    return {
      name: it.action.name,
      summary: it.action.summary,
      flags: [...new Set([...fields.map((field) => kebab(field.path)), ...optionNames])].map((flag) => `--${flag}`),
    }
  }),
  ...Object.entries(commands).map(([name, { summary }]) => ({ name: name.split(' ')[0] ?? name, summary, flags: [] })),
  { name: 'completion', summary: 'Print a script that completes actions and fields.', flags: [] },
]

const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

/** A completion script for one shell. Names and flags hold only letters, dots and dashes; summaries are quoted. */
export function completion(
  shell: string | undefined,
  registry: Registry,
  commands: Readonly<Record<string, { readonly summary: string }>>,
): string {
  const words = wordsOf(registry, commands)
  switch (shell) {
    case 'bash':
      return bash(words)
    case 'zsh':
      return zsh(words)
    case 'fish':
      return fish(words)
    default:
      throw new UsageError('Completion is written for bash, zsh or fish.', 'For example: bursar completion bash')
  }
}

const cases = (words: readonly Word[], line: (flags: string) => string): string =>
  words
    .filter((word) => word.flags.length > 0)
    .map((word) => `    ${word.name}) ${line(word.flags.join(' '))} ;;`)
    .join('\n')

const bash = (words: readonly Word[]): string => `# source <(bursar completion bash)
_bursar() {
  local current="\${COMP_WORDS[COMP_CWORD]}"
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${words.map((word) => word.name).join(' ')}' -- "$current"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases(words, (flags) => `COMPREPLY=($(compgen -W '${flags}' -- "$current"))`)}
  esac
}
complete -F _bursar bursar
`

const zsh = (words: readonly Word[]): string => `#compdef bursar
# source <(bursar completion zsh)
_bursar() {
  if (( CURRENT == 2 )); then
    local -a actions=(
${words.map((word) => `      ${quote(`${word.name}:${word.summary}`)}`).join('\n')}
    )
    _describe 'action' actions
    return
  fi
  case "\${words[2]}" in
${cases(words, (flags) => `compadd -- ${flags}`)}
  esac
}
compdef _bursar bursar
`

const fish = (words: readonly Word[]): string => `# bursar completion fish | source
complete -c bursar -f
${words
  .map((word) =>
    [
      `complete -c bursar -n __fish_use_subcommand -a ${word.name} -d ${quote(word.summary)}`,
      ...word.flags.map(
        (flag) => `complete -c bursar -n '__fish_seen_subcommand_from ${word.name}' -l ${flag.slice(2)}`,
      ),
    ].join('\n'),
  )
  .join('\n')}
`
