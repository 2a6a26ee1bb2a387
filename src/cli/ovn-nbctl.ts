import { nbctl } from '../ctl/nbctl/index.ts'
import { ctlMain } from './_ctl.ts'

ctlMain({
  program: nbctl,
  databaseVariable: 'OVN_NB_DB',
  defaultDatabase: () => `unix:${process.env['OVN_RUNDIR'] || '/var/run/ovn'}/ovnnb_db.sock`,
  optionsVariable: 'OVN_NBCTL_OPTIONS',
  daemonVariable: 'OVN_NB_DAEMON',
})
