import { execFile, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const readme = readFileSync(`${root}README.md`, 'utf8')

/** The fenced blocks of one language. */
function blocks(language: string): string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map((m) => m[1] ?? '')
}

describe('the README', () => {
  const folder = `${root}build/readme`
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('has an example of twenty lines that does what its comments say', async () => {
    const [example] = blocks('ts')
    expect(example).toContain("import { Sandbox } from 'ovn-ts'")
    expect(example?.trimEnd().split('\n').length).toBeLessThanOrEqual(20)
    const said = /console\.log\(.*\) \/\/ (.*)$/m.exec(example ?? '')?.[1]
    mkdirSync(folder, { recursive: true })
    const file = `${folder}/example.ts`
    writeFileSync(
      file,
      `const console = { log: (...a: unknown[]) => lines.push(a.join(' ')) }\nexport const lines: string[] = []\n${example?.replace("'ovn-ts'", `'${root}src/sandbox/index.ts'`)}`,
    )
    const { lines } = (await import(pathToFileURL(file).href)) as { lines: string[] }
    expect(lines).toEqual([said])
  })

  it('names only files and scripts that are there', () => {
    const links = [...readme.matchAll(/\]\(([^)#]+)\)/g)].map((m) => m[1] ?? '').filter((l) => !l.includes('://'))
    expect(links.length).toBeGreaterThan(10)
    expect(links.filter((l) => !existsSync(root + l))).toEqual([])
    const { scripts } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { scripts: Record<string, string> }
    const used = blocks('sh').flatMap((b) => [...b.matchAll(/^npm (?:run )?([a-z:]+)/gm)].map((m) => m[1] ?? ''))
    expect(used).toContain('start')
    expect(used.filter((s) => !scripts[s])).toEqual([])
  })

  it('has tool commands that work on the running sandbox', async () => {
    const sandbox = spawn(process.execPath, [`${root}dist/ovn-sandbox.js`, '--no-demo', '--nb-port=0', '--sb-port=0'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      let text = ''
      const ports = await new Promise<{ nb: string; sb: string }>((resolve, reject) => {
        sandbox.on('exit', (code) => reject(new Error(`the sandbox ended with ${code}: ${text}`)))
        sandbox.stdout.on('data', (d: Buffer) => {
          text += d.toString()
          const nb = /ovn-nbctl --db=tcp:127\.0\.0\.1:(\d+)/.exec(text)?.[1]
          const sb = /ovn-sbctl --db=tcp:127\.0\.0\.1:(\d+)/.exec(text)?.[1]
          if (nb && sb && text.includes('Ctrl-C')) resolve({ nb, sb })
        })
      })
      const commands = blocks('sh').flatMap((b) => b.split('\n').filter((l) => l.startsWith('bin/')))
      expect(commands.length).toBeGreaterThanOrEqual(3)
      for (const command of commands) {
        const [program, ...args] = command.replace(':6641', `:${ports.nb}`).replace(':6642', `:${ports.sb}`).split(' ')
        const { stdout } = await promisify(execFile)(process.execPath, [root + program, ...args])
        expect(stdout, command).toMatch(/private|hv1|fa:16:3e:50:47:62/)
      }
    } finally {
      const ended = new Promise((resolve) => sandbox.once('close', resolve))
      sandbox.removeAllListeners('exit')
      sandbox.kill('SIGINT')
      await ended
      expect(sandbox.exitCode).toBe(0)
    }
  })
})
