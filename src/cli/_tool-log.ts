let lines = 0

/** A line of a tool's log, to the standard error, as Open vSwitch's tools write it. */
export function toolLog(module: string, level: 'ERR' | 'WARN' | 'INFO', text: string): void {
  lines++
  const time = new Date().toISOString().replace(/\.\d+Z$/, 'Z')
  process.stderr.write(`${time}|${String(lines).padStart(5, '0')}|${module}|${level}|${text}\n`)
}
