import type { LoggingContext } from '../context.ts'
import type { PythonClasses } from '../python/config.ts'
import { JournalMessages, SyslogLines } from './backend.ts'
import { contextLayout, jsonLayout } from './formatter.ts'
import { type OsloOptions, parseOsloOptions } from './options.ts'

/**
 * The classes of oslo.log that files for Python's fileConfig name, wherever a release has put them:
 * `oslo_log.formatters.ContextFormatter`, `nova.openstack.common.log.ContextFormatter`. Their formats are options of
 * oslo.log; without a file of these, the defaults.
 */
export function osloClasses(context: LoggingContext, given?: OsloOptions): PythonClasses {
  const options = given ?? defaults(context.component)
  return {
    formatter(name, dateFormat) {
      if (/\.ContextFormatter$/.test(name)) return contextLayout({ ...options, dateFormat }, context, false)
      return /\.JSONFormatter$/.test(name) ? jsonLayout({ ...options, dateFormat }, context) : undefined
    },
    handler(name) {
      if (/\.OSSysLogHandler$/.test(name)) return { kind: 'other', open: (c) => new SyslogLines(options.facility, c) }
      if (/\.OSJournalHandler$/.test(name))
        return { kind: 'other', open: (c) => new JournalMessages(options.facility, c) }
      return undefined
    },
  }
}

function defaults(component: string): OsloOptions {
  const parsed = parseOsloOptions('[DEFAULT]\n', '', component)
  if (!parsed.ok) throw new Error(parsed.error)
  return parsed.value.options
}
