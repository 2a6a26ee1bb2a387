/**
 * What became of a packet, as a tree. `output` is a packet that left, `modify` a field that was
 * set; both are for the minimal form. `pipeline` and `transformation` have a heading, a `table` the
 * flow that was hit, an `action` its text or what came of it; a `remark` is about output.
 */
export type NodeType = 'output' | 'modify' | 'pipeline' | 'table' | 'action' | 'remark' | 'error' | 'transformation'

export interface TraceNode {
  readonly type: NodeType
  readonly name: string
  /** Indented even where it is the last of its siblings. */
  readonly indent: boolean
  readonly children: TraceNode[]
}

/** Appends a node; returns its list of children. */
export function add(
  siblings: TraceNode[],
  type: NodeType,
  name: string,
  indent = type === 'action' || type === 'remark' || type === 'error',
): TraceNode[] {
  const children: TraceNode[] = []
  siblings.push({ type, name, indent, children })
  return children
}

/** ovn-trace(8), Detailed Output: a last sibling is not indented, since it is a tail call. */
export function printDetailed(nodes: readonly TraceNode[], level = 0): string {
  const shown = nodes.filter((n) => n.type !== 'modify' && n.type !== 'output')
  let out = ''
  for (const node of shown) {
    const more = node.indent || nodes.at(-1) !== node ? 1 : 0
    const margin = ' '.repeat((level + more) * 4)
    const heading = node.type === 'pipeline' || node.type === 'transformation'
    if (heading) out += '\n'
    out += `${margin}${node.name}\n`
    if (heading) out += `${margin}${'-'.repeat(node.name.length)}\n`
    out += printDetailed(node.children, level + 2 * more)
  }
  return out
}

/** ovn-trace(8), Summary Output: without tables. */
export function summary(nodes: readonly TraceNode[]): TraceNode[] {
  const out: TraceNode[] = []
  for (const n of nodes) {
    if (n.type === 'modify' || n.type === 'output' || n.name.startsWith('next(')) continue
    const children = summary(n.children)
    if (n.type === 'table') out.push(...children)
    else out.push({ ...n, children })
  }
  return out
}

const NOT_MINIMAL: ReadonlySet<NodeType> = new Set(['table', 'action', 'remark', 'pipeline'])

/** ovn-trace(8), Minimal Output: what happens to the packet, and where it comes out. */
export function minimal(nodes: readonly TraceNode[]): TraceNode[] {
  const out: TraceNode[] = []
  for (const n of nodes) {
    const children = minimal(n.children)
    if (NOT_MINIMAL.has(n.type)) out.push(...children)
    else out.push({ ...n, children })
  }
  return out
}

/** The summary's and the minimal form's layout: that of a programming language. */
export function printNested(nodes: readonly TraceNode[], level = 0): string {
  let out = ''
  for (const node of nodes) {
    const margin = ' '.repeat(level * 4)
    out += margin + node.name
    // The outermost pipeline has braces even around nothing.
    if (node.children.length || (level === 0 && node.type === 'pipeline'))
      out += ` {\n${printNested(node.children, level + 1)}${margin}};\n`
    else out += node.type === 'action' ? '\n' : ';\n'
  }
  return out
}
