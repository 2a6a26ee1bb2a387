import type { Command } from './command.ts'
import type { Program } from './program.ts'

/** One command as help shows it: `[--may-exist] ls-add [SWITCH]`. */
function usageLine<T>(command: Command<T>): string {
  const options = (command.options ?? []).map((o) =>
    o.endsWith('=')
      ? `[--${o}${o.slice(0, -1).toUpperCase()}]`
      : o.endsWith('?')
        ? `[--${o.slice(0, -1)}[=${o.slice(0, -1).toUpperCase()}]]`
        : `[--${o}]`,
  )
  return [...options, command.name, ...(command.usage ? [command.usage] : [])].join(' ')
}

/** The text of --help: every command with its options and arguments, then the options of the tool. */
export function helpText<T>(program: Program<T>): string {
  const options = program.options.map((o) => {
    const value = o.value === 'required' ? '=VALUE' : o.value === 'optional' ? '[=VALUE]' : ''
    return `  ${o.short ? `-${o.short}, ` : ''}--${o.name}${value}\n`
  })
  return [
    `usage: ${program.name} [OPTIONS] COMMAND [ARG...]\n`,
    '\nCommands:\n',
    ...program.commands.map((c) => `  ${usageLine(c)}\n`),
    '\nOptions:\n',
    ...options,
  ].join('')
}

/** Arguments in the notation of --commands: `!X` has to be given, `?X` may, `+X` and `*X` more than once. */
function completionArguments(usage: string): string {
  const words = usage.match(/\[[^\]]*\](\.\.\.)?|\{[^}]*\}|\S+/g) ?? []
  return words
    .map((word) => {
      const many = word.endsWith('...')
      const bare = word.replace(/\.\.\.$/, '')
      const optional = bare.startsWith('[')
      return `${optional ? (many ? '*' : '?') : many ? '+' : '!'}${bare.replace(/[[\]{}]/g, '').replaceAll(' ', '')}`
    })
    .join(' ')
}

/** The text of --commands: a line for each, for the completion of shells. */
export function commandsText<T>(program: Program<T>): string {
  const line = (command: Command<T>) => {
    const options = (command.options ?? []).map((o) => `[--${o}] `).join('')
    return `${options},${command.name},${completionArguments(command.usage ?? '')}\n`
  }
  return program.commands.map(line).join('')
}

/** The text of --options: every global option, for the completion of shells. */
export function optionsText<T>(program: Program<T>): string {
  const own = new Map(
    program.commands.flatMap((c) =>
      (c.options ?? []).map((o) => [o, `--${o.replace('=', '=ARG').replace('?', '[=ARG]')}\n`] as const),
    ),
  )
  const global = program.options.map((o) => {
    const long = `--${o.name}${o.value === 'required' ? '=ARG' : o.value === 'optional' ? '[=ARG]' : ''}\n`
    return o.short === undefined ? long : `${long}-${o.short}${o.value === 'required' ? ' ARG' : ''}\n`
  })
  return [...global, ...own.values()].join('')
}
