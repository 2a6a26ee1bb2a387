import { type ControlCommand, command } from '../base/command.ts'
import type { Switch } from './switch.ts'

// Commands about what this switch does not do: link aggregation, spanning trees, connectivity checks, multicast
// snooping, auto-attach. They say that there is none, as the real switch does where none is configured.

const none = (text: string): Error => new Error(text)

/** Without a name: nothing; with one: there is no such thing. */
function show(name: string, usage: string, missing: string, empty = ''): ControlCommand {
  return command(name, usage, [0, 1], ([which]) => (which === undefined ? empty : none(missing)))
}

export function absentFeatureCommands(sw: Switch): ControlCommand[] {
  const noBond = () => none('no such bond')
  const noSnooping = (bridge: string) => none(sw.bridge(bridge) ? 'multicast snooping is disabled' : 'no such bridge')
  return [
    command('bond/list', '', [0, 0], () => 'bond\ttype\trecircID\tmembers\n'),
    show('bond/show', '[port]', 'no such bond'),
    command('bond/enable-member', 'port member', [2, 2], noBond),
    command('bond/disable-member', 'port member', [2, 2], noBond),
    command('bond/set-active-member', 'port member', [2, 2], noBond),
    command('bond/migrate', 'port hash member', [3, 3], noBond),
    show('lacp/show', '[port]', 'no such lacp object'),
    show('lacp/show-stats', '[port]', 'no such lacp object'),
    show('stp/show', '[bridge]', 'no such stp object'),
    show('stp/tcn', '[bridge]', 'no such stp object', 'OK'),
    show('rstp/show', '[bridge]', 'No such RSTP object'),
    show('rstp/tcn', '[bridge]', 'No such RSTP object', 'OK'),
    show('cfm/show', '[interface]', 'no such CFM object'),
    command('cfm/set-fault', '[interface] normal|false|true', [1, 2], (args) => {
      if (!['normal', 'false', 'true'].includes(args.at(-1) ?? '')) return none('unknown fault string')
      return args.length > 1 ? none('no such CFM object') : 'OK'
    }),
    command('mdb/show', 'bridge', [1, 1], ([bridge = '']) => noSnooping(bridge)),
    command('mdb/flush', '[bridge]', [0, 1], ([bridge]) =>
      bridge === undefined ? 'table successfully flushed' : noSnooping(bridge),
    ),
    command('autoattach/status', '[bridge]', [0, 1], () => ''),
    command('autoattach/show-isid', '[bridge]', [0, 1], () => ''),
    command('autoattach/statistics', '[bridge]', [0, 1], () => ''),
  ]
}
