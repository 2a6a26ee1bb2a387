import { readFileSync } from 'node:fs'
import { err, ok, type Result } from '../../base/result.ts'
import { errorText } from '../../io/errors.ts'
import type { Backend } from '../event.ts'
import { osloBackend } from '../oslo/backend.ts'
import { parseOsloOptions } from '../oslo/options.ts'
import { PythonBackend } from '../python/backend.ts'
import { parsePythonConfig } from '../python/config.ts'
import { type OtherFile, type OwnLogger, parseParameters } from './parameters.ts'
import { PlainBackend, type PlainContext } from './plain.ts'

export interface LoadContext extends PlainContext {
  /** The program: `ovn-northd`. */
  readonly component: string
  /** Milliseconds since 1970. */
  now(): number
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

const DIALECTS: Readonly<Record<OtherFile['kind'], Dialect>> = {
  python(text, { file }, context) {
    const config = parsePythonConfig(text, file, context.pid)
    return config.ok ? ok({ backend: new PythonBackend(config.value, context), warnings: [] }) : config
  },
  oslo: osloLogging,
  properties: (_text, { at }) => err(`${at}: log_property_file: log4cplus properties are not supported yet`),
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
  const loaded = value.kind === 'own' ? await ownLogging(value) : otherLogging(value, context)
  return loaded.ok ? ok({ ...loaded.value, warnings: [...warnings, ...loaded.value.warnings] }) : loaded
}

function osloLogging(text: string, { file }: OtherFile, context: LoadContext): Result<LoadedLogging> {
  const parsed = parseOsloOptions(text, file, context.component)
  if (!parsed.ok) return parsed
  const { options, warnings } = parsed.value
  if (options.configFile !== undefined) {
    const conf = read(context.resolve(options.configFile))
    if (!conf.ok) return conf
    const config = parsePythonConfig(conf.value, options.configFile, context.pid)
    return config.ok ? ok({ backend: new PythonBackend(config.value, context), warnings }) : config
  }
  return ok({ backend: osloBackend(options, context), warnings })
}

function otherLogging(file: OtherFile, context: LoadContext): Result<LoadedLogging> {
  const text = read(context.resolve(file.file))
  return text.ok ? DIALECTS[file.kind](text.value, file, context) : text
}

async function ownLogging(own: OwnLogger): Promise<Result<LoadedLogging>> {
  return err(`${own.at}: classes of one's own are not supported yet`)
}

function read(path: string): Result<string> {
  try {
    return ok(readFileSync(path, 'utf8'))
  } catch (e) {
    return err(`${path}: ${errorText(e)}`)
  }
}
