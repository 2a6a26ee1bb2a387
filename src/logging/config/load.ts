import { readFileSync } from 'node:fs'
import { err, ok, type Result } from '../../base/result.ts'
import { errorText } from '../../io/errors.ts'
import type { Backend } from '../event.ts'
import { PythonBackend } from '../python/backend.ts'
import { parsePythonConfig } from '../python/config.ts'
import { parseParameters } from './parameters.ts'
import { PlainBackend, type PlainContext } from './plain.ts'

export interface LoadContext extends PlainContext {
  /** Milliseconds since 1970. */
  now(): number
}

/** A way of logging, made from a configuration file. */
export interface LoadedLogging {
  readonly backend: Backend
  /** What of the file has no effect. */
  readonly warnings: readonly string[]
}

function read(path: string): Result<string> {
  try {
    return ok(readFileSync(path, 'utf8'))
  } catch (e) {
    return err(`${path}: ${errorText(e)}`)
  }
}

/** Reads the file of --logging-config and those it names. On an error nothing was opened. */
export function loadLogging(path: string, context: LoadContext): Result<LoadedLogging> {
  const text = read(context.resolve(path))
  if (!text.ok) return text
  const parameters = parseParameters(text.value, path)
  if (!parameters.ok) return parameters
  const { value } = parameters
  if (value.kind === 'plain') return ok({ backend: new PlainBackend(value.plain, context), warnings: value.warnings })
  const conf = read(context.resolve(value.file))
  if (!conf.ok) return conf
  const config = parsePythonConfig(conf.value, value.file, context.pid)
  if (!config.ok) return config
  return ok({ backend: new PythonBackend(config.value, context), warnings: value.warnings })
}
