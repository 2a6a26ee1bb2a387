import { existsSync, statSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { err, ok, type Result } from '../../base/result.ts'
import { errorText } from '../../io/errors.ts'
import type { Backend } from '../event.ts'
import { OwnBackend } from './backend.ts'
import { BASE_LOGGER, type BaseLogger, type LoggerContext } from './base-logger.ts'

/** What of a configuration names a class of one's own. */
export interface OwnClass {
  /** A path, or a package's name. */
  readonly module: string
  readonly className: string
}

export interface OwnContext extends Omit<LoggerContext, 'report'> {
  onTrouble(message: string): void
  /** Called when a logger changed its levels. */
  onLevels?(): void
}

type LoggerClass = new (context: LoggerContext) => BaseLogger

/** Loads the module and makes a logger of the class; an error says what is missing. */
export async function loadOwnLogger(own: OwnClass, context: OwnContext): Promise<Result<Backend>> {
  const location = locate(own.module, context)
  if (!location.ok) return location
  const found = await load(own, location.value)
  if (!found.ok) return found
  const name = `${own.module}#${own.className}`
  const { component, hostname, pid, conf, options } = context
  const say = (message: string) => context.onTrouble(message)
  let logger: BaseLogger
  try {
    logger = new found.value({
      ...{ component, hostname, pid, conf, options },
      resolve: (path) => context.resolve(path),
      report: (message) => say(`${name}: ${message}`),
    })
  } catch (e) {
    return err(`the constructor of ${own.className} failed: ${errorText(e)}`)
  }
  if (typeof logger.write !== 'function') return err(`${own.className} has no method 'write'`)
  logger.onLevels = () => context.onLevels?.()
  return ok(new OwnBackend(name, logger, say))
}

/** What `import()` takes: a package's name, or a file's URL, another one when the file has changed. */
function locate(module: string, context: OwnContext): Result<string> {
  if (!/^\.{0,2}\/|\.[cm]?js$/.test(module)) return ok(module)
  const path = context.resolve(module)
  try {
    const stat = statSync(path)
    if (!stat.isFile()) return err(`${module} is not a file`)
    const url = pathToFileURL(path)
    // Node keeps a module for ever, by its URL: a new configuration is to find the new file.
    url.search = `time=${stat.mtimeMs}`
    return ok(url.href)
  } catch (e) {
    return err(`${module}: ${errorText(e)}`)
  }
}

async function load(own: OwnClass, location: string): Promise<Result<LoggerClass>> {
  let module: Record<string, unknown>
  try {
    module = await import(/* @vite-ignore */ location)
  } catch (e) {
    return err(`${own.module} cannot be loaded: ${loadError(e)}`)
  }
  if (!Object.hasOwn(module, own.className)) {
    const names = Object.keys(module)
    const others = names.length ? `, it exports ${names.join(', ')}` : ', it exports nothing'
    return err(`${own.module} has no export '${own.className}'${others}`)
  }
  const value = module[own.className]
  if (!isClass(value)) return err(`${own.className} of ${own.module} is not a class but ${kindOf(value)}`)
  if (!(BASE_LOGGER in value)) return err(`${own.className} does not extend BaseLogger of ovn-ts/logging`)
  return ok(value)
}

function isClass(value: unknown): value is LoggerClass {
  return typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value))
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

/** An error of loading, with the file and line where Node says one, or what helps. */
function loadError(e: unknown): string {
  const text = errorText(e)
  if (!(e instanceof Error)) return text
  if (/^Cannot find package 'ovn-ts'/.test(text))
    return `${text}: install ovn-ts beside the module, or import ${ownFile() ?? 'its file dist/logging.js'}`
  const at = /^(file:[^\n]*?)(?:\?[^\n]*?)?:(\d+)\n/.exec(e.stack ?? '')
  if (at?.[1]) return `${fileURLToPath(at[1])}:${at[2]}: ${text}`
  return e instanceof SyntaxError ? `${text} ('node --check' with the file shows where)` : text
}

/** The file with BaseLogger that belongs to this program. */
function ownFile(): string | undefined {
  const path = fileURLToPath(new URL('./logging.js', import.meta.url))
  return existsSync(path) ? path : undefined
}
