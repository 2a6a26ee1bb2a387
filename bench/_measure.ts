import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'

/** The folder of the real programs, or undefined with the reason on the console: then only our figures are printed. */
export function realPrograms(): string | undefined {
  const script = 'tests/peers/reference-ovn'
  const r = spawnSync('bash', [script, 'bin', '26.03'], { encoding: 'utf8' })
  if (r.status === 0) return r.stdout.trim()
  console.log(`the real OVN is not here (${r.stderr.trim().split('\n').at(-1) ?? 'no reason given'}): no ratios`)
  return undefined
}

/** CPU seconds a process has used so far, user and system (proc(5), fields 14 and 15), and its resident MiB. */
export function usage(pid: number): { cpu: number; mib: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const status = existsSync(`/proc/${pid}/status`) ? readFileSync(`/proc/${pid}/status`, 'utf8') : ''
  const kib = /VmRSS:\s+(\d+)/.exec(status)?.[1]
  return { cpu: (Number(fields[11]) + Number(fields[12])) / 100, mib: Number(kib ?? 0) / 1024 }
}

export function median(values: readonly number[]): number {
  const s = [...values].sort((a, b) => a - b)
  return s.length ? (s[s.length >> 1] as number) : Number.NaN
}

/** Prints rows of texts as a table with aligned columns. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const all = [head, ...rows]
  const widths = head.map((_, i) => Math.max(...all.map((r) => (r[i] ?? '').length)))
  for (const r of all)
    console.log(r.map((c, i) => (i ? c.padStart(widths[i] ?? 0) : c.padEnd(widths[i] ?? 0))).join('  '))
}

export function number(value: number, unit: string, digits = 1): string {
  return `${value.toFixed(digits)} ${unit}`
}

/** Ours to theirs; above 1 means ours is larger. */
export function ratio(ours: number, theirs: number | undefined): string {
  return theirs === undefined ? '-' : `${(ours / theirs).toFixed(2)}x`
}

export function run(program: string, args: readonly string[], input?: string): string {
  return execFileSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 1 << 30,
    ...(input === undefined ? {} : { input }),
  })
}
