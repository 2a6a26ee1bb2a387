// Installs the dependencies when they are missing or not those of the lock file.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'

const MINIMUM = [20, 10]

export function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > MINIMUM[0] || (major === MINIMUM[0] && minor >= MINIMUM[1])) return
  console.error(`ovn-ts needs Node.js ${MINIMUM.join('.')} or newer; this is ${process.versions.node}`)
  process.exit(2)
}

export function install() {
  requireNode()
  const stamp = 'node_modules/.ovn-ts-installed'
  const wanted = createHash('sha256').update(readFileSync('package-lock.json')).digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  console.log('installing dependencies ...')
  const started = Date.now()
  // Not `npm ci`: a lock file made where a registry lacks the packages of other platforms does not
  // name them, and `ci` refuses that; the versions are those of the lock file either way.
  const npm = spawnSync('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'], {
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
  })
  if (npm.error || npm.status !== 0) {
    console.error(`npm install failed${npm.error ? `: ${npm.error.message}` : ` with status ${npm.status}`}`)
    process.exit(2)
  }
  mkdirSync('node_modules', { recursive: true })
  writeFileSync(stamp, wanted)
  console.log(`installed in ${((Date.now() - started) / 1000).toFixed(1)} s`)
}
