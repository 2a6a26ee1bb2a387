import { type ControlCommand, command } from '../../base/command.ts'
import type { Server } from './server.ts'

/** What `memory/show` counts: values and columns of all rows, and who looks at them. */
export function memoryUsage(server: Server): Record<string, number> {
  let atoms = 0
  let cells = 0
  let weak = 0
  for (const { database } of server.hosted.values()) {
    for (const table of database.tables.values()) {
      const columns = [...table.schema.columns.keys()]
      cells += table.rows.size * (columns.length + 2)
      for (const keys of table.referrers.values()) weak += keys.size
      for (const row of table.rows.values()) {
        atoms += 2
        for (const name of columns) {
          const d = row[name]
          if (d === undefined) continue
          if (typeof d !== 'object') atoms++
          else atoms += d instanceof Map ? 2 * d.size : (d as readonly unknown[]).length
        }
      }
    }
  }
  let monitors = 0
  let backlog = 0
  for (const session of server.sessions) {
    monitors += session.monitorCount
    backlog += session.queuedBytes
  }
  return {
    atoms,
    ...(backlog ? { backlog } : {}),
    cells,
    monitors,
    'n-weak-refs': weak,
    ...(server.sessions.size ? { sessions: server.sessions.size } : {}),
  }
}

/** The commands of the control socket that are the database server's own (ovsdb-server(1)). */
export function serverCommands(server: Server): ControlCommand[] {
  let trim = false
  return [
    {
      name: 'ovsdb-server/add-remote',
      usage: 'REMOTE',
      minArgs: 1,
      maxArgs: 1,
      run: ([remote = ''], reply) => {
        if (server.remotes.list().includes(remote)) {
          reply.ok('')
          return
        }
        server.listen(remote, (error) => {
          // As the real server: a method that can not be used yet is kept and tried again.
          if (error?.startsWith('"db:')) reply.error(error)
          else reply.ok('')
        })
      },
    },
    command('ovsdb-server/remove-remote', 'REMOTE', [1, 1], ([remote = '']) =>
      server.remotes.remove(remote) ? '' : new Error('no such remote'),
    ),
    command('ovsdb-server/list-remotes', '', [0, 0], () =>
      server.remotes
        .list()
        .map((r) => `${r}\n`)
        .join(''),
    ),
    command('ovsdb-server/list-dbs', '', [0, 0], () =>
      [...server.hosted.keys()]
        .sort()
        .map((n) => `${n}\n`)
        .join(''),
    ),
    command('ovsdb-server/remove-db', 'DB', [1, 1], ([name = '']) => {
      if (name.startsWith('_')) return new Error('Cannot remove reserved database.')
      return server.removeDatabase(name) ? '' : new Error('Failed to find the database.')
    }),
    command('ovsdb-server/get-db-storage-status', 'DB', [1, 1], ([name = '']) =>
      server.hosted.has(name) ? 'status: ok' : new Error('Failed to find the database.'),
    ),
    {
      name: 'ovsdb-server/compact',
      usage: '',
      minArgs: 0,
      maxArgs: 1,
      run: ([name], reply) => {
        if (name?.startsWith('_')) {
          reply.error('cannot compact built-in databases')
          return
        }
        const hosted = [...server.hosted.values()].filter(
          (h) => !h.database.name.startsWith('_') && (name === undefined || h.database.name === name),
        )
        if (name !== undefined && !hosted.length) {
          reply.error('no database by that name')
          return
        }
        let left = hosted.length
        const errors: string[] = []
        const done = () => {
          if (left === 0) errors.length ? reply.error(errors.join('\n')) : reply.ok('')
        }
        done()
        for (const { database, storage } of hosted) {
          server.log.child('ovsdb_server').info(`compacting ${database.name} database by user request`)
          const finished = (error?: string) => {
            if (error !== undefined) errors.push(error)
            left--
            done()
          }
          if (storage) storage.compact(database, finished)
          else finished()
        }
      },
    },
    command('ovsdb-server/reconnect', '', [0, 0], () => {
      server.remotes.reconnect()
      return ''
    }),
    command('ovsdb-server/memory-trim-on-compaction', 'on|off', [1, 1], ([value]) => {
      if (value !== 'on' && value !== 'off') return new Error('invalid argument')
      trim = value === 'on'
      server.log.child('ovsdb_server').info(`memory trimming after compaction ${trim ? 'enabled' : 'disabled'}.`)
      return ''
    }),
    command(
      'ovsdb-server/perf-counters-show',
      '',
      [0, 0],
      () => 'performance counter is not supported on this platform',
    ),
    command('ovsdb-server/perf-counters-clear', '', [0, 0], () => ''),
    command('ovsdb-server/disable-monitor-cond', '', [0, 0], () => ''),
    command('ovsdb-server/tlog-set', 'DB:TABLE on|off', [2, 2], ([what = '', value = '']) => {
      if (value !== 'on' && value !== 'off') return new Error('invalid command argument')
      const [, db = '', table = ''] = /^([^:]+):([^:]+)$/.exec(what) ?? []
      if (!table) return new Error('invalid DB:TABLE argument')
      const database = server.database(db)
      if (!database) return new Error('no such database')
      if (!database.tables.has(table)) return new Error('no such table')
      server.transactionLog.set(db, table, value === 'on')
      return ''
    }),
    command('ovsdb-server/tlog-list', '', [0, 0], () => {
      const lines = [
        'database        table                       logging',
        '--------        -----                       -------',
      ]
      for (const name of [...server.hosted.keys()].sort()) {
        lines.push(`${name.padEnd(16)} `)
        for (const table of [...(server.database(name)?.tables.keys() ?? [])].sort()) {
          lines.push(`${' '.repeat(16)}${table.padEnd(27)} ${server.transactionLog.has(name, table) ? 'ON' : 'OFF'}`)
        }
      }
      return `${lines.join('\n')}\n`
    }),
  ]
}
