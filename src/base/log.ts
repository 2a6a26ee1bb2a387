/** Levels of Open vSwitch's logs, most severe first (ovs-appctl(8), LOGGING COMMANDS). */
export type Level = 'emer' | 'err' | 'warn' | 'info' | 'dbg'
export const LEVELS: readonly Level[] = ['emer', 'err', 'warn', 'info', 'dbg']

/** What a line is about, besides its text: chassis, port, datapath, row uuid, transaction ... */
export type Fields = Readonly<Record<string, string | number | boolean | undefined>>

/**
 * Where a part says what happens. The text is for people and for programs that grep, and is the
 * same as the real daemon's where that has such a line; `fields` are for machines. A warning has a
 * stable `code` among its fields (docs/MESSAGES.md). `src/logging` implements this.
 */
export interface Log {
  /** A log for one module of the same component: `binding`, `pinctrl`, `ofctrl` ... */
  child(module: string): Log
  enabled(level: Level): boolean
  emer(message: string, fields?: Fields): void
  err(message: string, fields?: Fields): void
  warn(message: string, fields?: Fields): void
  info(message: string, fields?: Fields): void
  /** The function is called only when the level is on. */
  dbg(message: string | (() => string), fields?: Fields): void
}

/** A line as a Log takes it, before any layout. */
export interface LogLine {
  readonly module: string
  readonly level: Level
  readonly message: string
  readonly fields?: Fields | undefined
}

/** A log over one function; `floor` is the least severe level that is passed on. */
export function logTo(sink: (line: LogLine) => void, module = '', floor: Level = 'dbg'): Log {
  const depth = LEVELS.indexOf(floor)
  const put = (level: Level, message: string, fields?: Fields) => {
    if (LEVELS.indexOf(level) <= depth) sink({ module, level, message, fields })
  }
  return {
    child: (name) => logTo(sink, name, floor),
    enabled: (level) => LEVELS.indexOf(level) <= depth,
    emer: (m, f) => put('emer', m, f),
    err: (m, f) => put('err', m, f),
    warn: (m, f) => put('warn', m, f),
    info: (m, f) => put('info', m, f),
    dbg: (m, f) => {
      if (depth >= 4) put('dbg', typeof m === 'string' ? m : m(), f)
    },
  }
}

export const silent: Log = logTo(() => {}, '', 'emer')

/** A log that keeps its lines down to `floor`, for tests. */
export function keptLog(floor: Level = 'dbg'): { log: Log; lines: LogLine[] } {
  const lines: LogLine[] = []
  return { log: logTo((line) => lines.push(line), '', floor), lines }
}
