import type { Command } from './command.ts'
import type { Program } from './program.ts'

/** One command as help shows it: `[--may-exist] ls-add [SWITCH]`. */
export function usageLine<T>(command: Command<T>): string {
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
