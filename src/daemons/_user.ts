import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { err, ok, type Result } from '../base/result.ts'
import { keepCapabilities, raiseCapabilities } from '../io/capabilities.ts'
import { errorText } from '../io/errors.ts'

/** Who a daemon is to run as: numbers of the user and the group. */
export interface DaemonUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/** Entries of passwd(5) or group(5), from whatever the machine's name service says. */
function entries(database: 'passwd' | 'group', key: string): string[] | undefined {
  let text: string
  try {
    text = execFileSync('getent', [database, key], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  } catch {
    try {
      text = readFileSync(`/etc/${database}`, 'utf8')
    } catch {
      return undefined
    }
  }
  return text
    .split('\n')
    .map((line) => line.split(':'))
    .find(([name, , id]) => name === key || id === key)
}

type Lookup = typeof entries

/**
 * Reads `USER`, `USER:GROUP`, `USER:` or `:GROUP`; a part left out is what this process runs as, or the user's
 * own group. The user has to be a member of the group.
 */
export function parseUser(text: string, lookup: Lookup = entries): Result<DaemonUser> {
  const colon = text.indexOf(':')
  const user = colon < 0 ? text : text.slice(0, colon)
  const group = colon < 0 ? '' : text.slice(colon + 1)
  const uid = String(process.getuid?.() ?? 0)
  const passwd = lookup('passwd', user || uid)
  if (!passwd) return err(`user ${user || uid} not found, aborting.`)
  const name = passwd[0] ?? ''
  const own = Number(passwd[3])
  if (!group) return ok({ name, uid: Number(passwd[2]), gid: user ? own : (process.getgid?.() ?? own) })
  const found = lookup('group', group)
  if (!found) return err(`group ${group} not found, aborting.`)
  const gid = Number(found[2])
  if (gid !== own && !(found[3] ?? '').split(',').includes(name)) {
    return err(`Invalid --user option ${text} (user ${name} is not in group ${group}), aborting.`)
  }
  return ok({ name, uid: Number(passwd[2]), gid })
}

/**
 * Becomes another user, for good: groups first, then the group, then the user. What a daemon still has to do as
 * if it were root stays with it as capabilities (capabilities(7)): low ports and memory that is not swapped, and
 * for one that has to do with packets the network's.
 * @returns a warning where the capabilities could not be kept.
 */
export function becomeUser(user: DaemonUser, network: boolean): Result<string | undefined> {
  if (!process.setuid || !process.setgid || !process.setgroups) return err('--user is not supported on this system')
  if (process.getuid?.() === user.uid && process.getgid?.() === user.gid) return ok(undefined)
  const kept = keepCapabilities()
  try {
    process.setgroups([])
    process.setgid(user.gid)
    process.setuid(user.uid)
  } catch (e) {
    return err(`fail to switch user and group to ${user.uid} and ${user.gid} (${errorText(e)})`)
  }
  process.env['USER'] = user.name
  const names = network ? NETWORK : BASIC
  return ok(
    kept && raiseCapabilities(names)
      ? undefined
      : `capabilities ${names.join(', ')} are not kept: the optional package koffi is missing`,
  )
}

/** Whether a user could start this program: Node.js has to read its file, which may be in a folder of root's. */
export function canStartProgram(user: DaemonUser): boolean {
  const look = 'require("node:fs").accessSync(process.argv[1], 4)'
  const options = { uid: user.uid, gid: user.gid, cwd: '/', stdio: 'ignore', env: {} } as const
  return spawnSync(process.execPath, ['-e', look, process.argv[1] ?? ''], options).status === 0
}

const BASIC = ['CAP_NET_BIND_SERVICE', 'CAP_IPC_LOCK'] as const
const NETWORK = ['CAP_NET_BIND_SERVICE', 'CAP_NET_BROADCAST', 'CAP_NET_ADMIN', 'CAP_NET_RAW', 'CAP_IPC_LOCK'] as const
