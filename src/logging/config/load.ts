import { isUtf8 } from 'node:buffer'
import { readFileSync, statSync } from 'node:fs'
import { err, ok, type Result } from '../../base/result.ts'
import { errorText } from '../../io/errors.ts'
import type { LoggingContext } from '../context.ts'
import type { Backend } from '../event.ts'
import { Log4cplusBackend } from '../log4cplus/backend.ts'
import { parseLog4cplus } from '../log4cplus/config.ts'
import { osloBackend } from '../oslo/backend.ts'
import { osloClasses } from '../oslo/classes.ts'
import { parseOsloOptions } from '../oslo/options.ts'
import { loadOwnLogger } from '../own/load.ts'
import { PythonBackend } from '../python/backend.ts'
import { parsePythonConfig } from '../python/config.ts'
import { type OtherFile, type OwnLogger, parseParameters } from './parameters.ts'
import { PlainBackend } from './plain.ts'

export interface LoadContext extends LoggingContext {
  /** Called when a logger of one's own changed its levels while it runs. */
  onLevels?(): void
}

/** A way of logging, made from a configuration file. */
export interface LoadedLogging {
  readonly backend: Backend
  /** What of the file has no effect. */
  readonly warnings: readonly string[]
}

/**
 * A dialect's way from a file's text to a backend. An error says `FILE:LINE: reason`, and nothing was opened.
 */
type Dialect = (text: string, file: OtherFile, context: LoadContext) => Result<LoadedLogging>

const DIALECTS: Readonly<Record<Exclude<OtherFile['kind'], 'properties'>, Dialect>> = {
  python(text, { file }, context) {
    const config = parsePythonConfig(text, file, context.pid, osloClasses(context))
    return config.ok ? ok({ backend: new PythonBackend(config.value, context), warnings: [] }) : config
  },
  oslo: osloLogging,
}

/** Reads the file of --logging-config and those it names. On an error nothing was opened. */
export async function loadLogging(path: string, context: LoadContext): Promise<Result<LoadedLogging>> {
  const text = read(context.resolve(path))
  if (!text.ok) return text
  const parameters = parseParameters(text.value, path)
  if (!parameters.ok) return parameters
  const { value } = parameters
  const { warnings } = value
  if (value.kind === 'plain') return ok({ backend: new PlainBackend(value.plain, context), warnings })
  const loaded = value.kind === 'own' ? await ownLogging(value, context) : otherLogging(value, context)
  return loaded.ok ? ok({ ...loaded.value, warnings: [...warnings, ...loaded.value.warnings] }) : loaded
}

function osloLogging(text: string, { file }: OtherFile, context: LoadContext): Result<LoadedLogging> {
  const parsed = parseOsloOptions(text, file, context.component)
  if (!parsed.ok) return parsed
  const { options, warnings } = parsed.value
  if (options.configFile !== undefined) {
    const conf = read(context.resolve(options.configFile))
    if (!conf.ok) return conf
    const config = parsePythonConfig(conf.value, options.configFile, context.pid, osloClasses(context, options))
    return config.ok ? ok({ backend: new PythonBackend(config.value, context), warnings }) : config
  }
  return ok({ backend: osloBackend(options, context), warnings })
}

/** log4cplus takes any bytes for a text. */
function log4cplusLogging({ file }: OtherFile, context: LoadContext): Result<LoadedLogging> {
  const warnings: string[] = []
  const latin1 = (bytes: Buffer, where: string) => {
    warnings.push(`${where}: the text is not UTF-8, it is read as ISO 8859-1`)
    return bytes.toString('latin1')
  }
  const text = read(context.resolve(file), latin1)
  if (!text.ok) return text
  const config = parseLog4cplus(text.value, file, {
    ...{ hostname: context.hostname, pid: context.pid },
    environment: (name) => (Object.hasOwn(process.env, name) ? process.env[name] : undefined),
    include(path) {
      const included = context.resolve(path)
      const content = isFile(included) ? read(included, latin1) : undefined
      return content?.ok ? content.value : undefined
    },
  })
  if (!config.ok) return config
  return ok({ backend: new Log4cplusBackend(config.value, context), warnings: [...warnings, ...config.value.warnings] })
}

/** A device or a pipe may have no end. */
function isFile(path: string): boolean {
  try {
    return statSync(path).isFile()
  } catch {
    return false
  }
}

function otherLogging(file: OtherFile, context: LoadContext): Result<LoadedLogging> {
  if (file.kind === 'properties') return log4cplusLogging(file, context)
  const text = read(context.resolve(file.file))
  return text.ok ? DIALECTS[file.kind](text.value, file, context) : text
}

async function ownLogging(own: OwnLogger, context: LoadContext): Promise<Result<LoadedLogging>> {
  const conf = own.file === undefined ? undefined : context.resolve(own.file)
  const { component, hostname, pid } = context
  const backend = await loadOwnLogger(own, {
    ...{ component, hostname, pid, conf, options: own.options },
    resolve: (path) => context.resolve(path),
    onTrouble: (message) => context.onTrouble(message),
    onLevels: () => context.onLevels?.(),
  })
  return backend.ok ? ok({ backend: backend.value, warnings: [] }) : err(`${own.at}: logger_class: ${backend.error}`)
}

/** The text of a file, which is in UTF-8; `otherwise` makes it of the bytes of one that is not. */
function read(path: string, otherwise?: (bytes: Buffer, where: string) => string): Result<string> {
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch (e) {
    return err(`${path}: ${errorText(e)}`)
  }
  if (isUtf8(bytes)) return ok(bytes.toString('utf8'))
  const where = `${path}:${lineOutsideUtf8(bytes)}`
  return otherwise ? ok(otherwise(bytes, where)) : err(`${where}: the text is not UTF-8`)
}

/** The first line, from 1 on, that is not UTF-8. */
function lineOutsideUtf8(bytes: Buffer): number {
  let [line, from] = [1, 0]
  for (;;) {
    const end = bytes.indexOf(10, from)
    if (end < 0 || !isUtf8(bytes.subarray(from, end))) return line
    line++
    from = end + 1
  }
}
