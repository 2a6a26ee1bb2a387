import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { loadLogging } from './load.ts'

// Files in UTF-8 with a mark in front, and in ISO 8859-1.

const dir = mkdtempSync(join(tmpdir(), 'log-encoding-'))
afterAll(() => rmSync(dir, { recursive: true }))

const PYTHON = `[loggers]\nkeys=root\n[handlers]\nkeys=f\n[formatters]\nkeys=p\n[logger_root]\nhandlers=f
[handler_f]\nclass=FileHandler\nargs=('${dir}/café.log',)\n[formatter_p]\nformat=%(message)s\n`
const OSLO = `[DEFAULT]\n# où\nlog_file = ${dir}/café.log\n`
const LOG4CPLUS = `# où\nlog4cplus.rootLogger=INFO, F\nlog4cplus.appender.F=log4cplus::FileAppender
log4cplus.appender.F.File=${dir}/café.log\n`

async function load(named: string, text: string, encoding: BufferEncoding) {
  const [base, other] = [join(dir, 'logging.ini'), join(dir, 'other')]
  writeFileSync(other, Buffer.from(text, encoding))
  writeFileSync(base, `[DEFAULT]\n${named} = ${other}\n`)
  const loaded = await loadLogging(base, {
    ...{ component: 'c', hostname: 'h', pid: 1, now: () => 0, resolve: (p: string) => p },
    onTrouble: (message) => expect(message).toBe(''),
  })
  if (loaded.ok) loaded.value.backend.close()
  return loaded.ok ? loaded.value.warnings.join('; ') : loaded.error
}

const CASES = [
  ['logger_class = ConfigLogger\nlogging_conf', PYTHON, `${dir}/other:11: the text is not UTF-8`],
  ['logger_class = OsloLogger\nlogging_conf', OSLO, `${dir}/other:2: the text is not UTF-8`],
  ['log_property_file', LOG4CPLUS, `${dir}/other:1: the text is not UTF-8, it is read as ISO 8859-1`],
] as const

it.each(CASES)('%s', async (named, text, latin1) => {
  expect(await load(named, text, 'utf8')).toBe('')
  expect(await load(named, `\ufeff${text}`, 'utf8')).toBe('')
  expect(await load(named, text, 'latin1')).toBe(latin1)
  expect(readdirSync(dir)).toContain('café.log')
  expect(readdirSync(dir).filter((n) => n.endsWith('.log'))).toHaveLength(1)
})
