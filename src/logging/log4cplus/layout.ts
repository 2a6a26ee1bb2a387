import { err, ok, type Result } from '../../base/result.ts'
import { type Layout, loggerName } from '../event.ts'
import { levelName } from './levels.ts'
import type { Options } from './options.ts'
import { type LayoutContext, nestedContext, patternLayout, timeFormat } from './pattern.ts'

/** `INFO - message`. */
export const simpleLayout: Layout = (event) => `${levelName(event.level)} - ${event.message}\n`

/** A layout by the name of its class, without log4cplus's namespace. Its lines have their ends with them. */
export function layoutNamed(name: string, options: Options, context: LayoutContext): Result<Layout> {
  switch (name) {
    case 'SimpleLayout':
      return ok(simpleLayout)
    case 'TTCCLayout':
      return ok(ttccLayout(options, context))
    case 'PatternLayout': {
      const deprecated = options.get('Pattern')
      if (deprecated !== undefined) context.warn('"Pattern" is deprecated, use "ConversionPattern"')
      const pattern = deprecated ?? options.get('ConversionPattern')
      if (pattern === undefined) return err('ConversionPattern not specified')
      if (pattern === '') context.warn('ConversionPattern is empty, %m is used')
      return ok(patternLayout(pattern || '%m', options.integer('NDCMaxDepth') ?? 0, context))
    }
    default:
      return err(`Cannot find layout "${name}"`)
  }
}

/** `1234 [THREAD] LEVEL LOGGER <CONTEXT> - MESSAGE`. */
function ttccLayout(options: Options, context: LayoutContext): Layout {
  const date = options.get('DateFormat')
  const format = date ? timeFormat(date, options.flag('Use_gmtime', false)) : undefined
  const [thread, category] = [options.flag('ThreadPrinting', true), options.flag('CategoryPrefixing', true)]
  const nested = options.flag('ContextPrinting', true)
  return (event) => {
    const time = format ? format(event.time) : String(Math.floor(event.elapsed))
    const words = [time, thread ? `[${context.pid}]` : '', levelName(event.level), category ? loggerName(event) : '']
    const head = words.filter((w) => w !== '').join(' ')
    return `${head}${nested ? ` <${nestedContext(event.fields)}>` : ''} - ${event.message}\n`
  }
}
