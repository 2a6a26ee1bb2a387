import { Sandbox, type SandboxOptions } from '../sandbox.ts'
import { CHECKS, type Check, type Demo } from './checks.ts'
import { DEMO, DEMO_NORTHBOUND } from './network.ts'

/** Brings the demo's network up: chassis, logical network, two machines, a host outside. */
export async function startDemo(options: SandboxOptions = {}): Promise<Demo> {
  const sandbox = await Sandbox.start(options)
  // One transaction for all of it.
  await sandbox.nbctl(DEMO_NORTHBOUND.join(' -- '))
  const outside = sandbox.external('outside', {
    mac: DEMO.outside.mac,
    addresses: [`${DEMO.outside.ip}/24`, `${DEMO.outside.gateway}/24`],
    vlan: DEMO.outside.vlan,
    beyond: [`${DEMO.outside.beyond}/32`],
  })
  const [vm1, vm2] = await Promise.all([
    sandbox.plug('vm1', { chassis: DEMO.vm1.chassis, mac: DEMO.vm1.mac }),
    sandbox.plug('vm2', { chassis: DEMO.vm2.chassis, mac: DEMO.vm2.mac }),
  ])
  return { sandbox, vm1, vm2, outside }
}

export interface Outcome {
  readonly name: string
  readonly ok: boolean
  /** What was seen, or why not. */
  readonly detail: string
  /** Milliseconds of the machine's time. */
  readonly took: number
}

/** Runs the checks in order, telling each outcome as it comes. One that fails does not stop the next. */
export async function runChecks(
  demo: Demo,
  tell: (outcome: Outcome) => void,
  checks: readonly Check[] = CHECKS,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (const check of checks) {
    const begin = performance.now()
    let ok = true
    let detail: string
    try {
      detail = await check.run(demo)
    } catch (e) {
      ok = false
      detail = e instanceof Error ? e.message : String(e)
    }
    const outcome = { name: check.name, ok, detail, took: performance.now() - begin }
    outcomes.push(outcome)
    tell(outcome)
  }
  return outcomes
}
