// npm start: installs, builds, and brings up the sandbox. Arguments go to it: npm start -- --check
import { spawn } from 'node:child_process'
import { install } from './install.mjs'

install()
const { build } = await import('./build.mjs')
await build()
const child = spawn(process.execPath, ['--enable-source-maps', 'dist/ovn-sandbox.js', ...process.argv.slice(2)], {
  stdio: 'inherit',
})
// Ctrl-C reaches the whole group; the sandbox ends by itself and its status is ours.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => signal !== 'SIGINT' && child.kill(signal))
child.on('error', (e) => {
  console.error(`the sandbox did not start: ${e.message}`)
  process.exit(2)
})
child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)))
