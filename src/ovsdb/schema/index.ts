export {
  ATOMIC_TYPES,
  type Atom,
  type AtomicType,
  compareAtoms,
  compareDatums,
  compareStrings,
  type Datum,
  defaultAtom,
  integerAtom,
  parseUuid,
  ZERO_UUID,
} from './atom.ts'
export { type NamedUuids, readAtom } from './atom-json.ts'
export {
  atomsOf,
  atomText,
  canonicalDatum,
  checkAtom,
  checkDatum,
  datumOf,
  datumText,
  describeType,
  equalDatums,
  isConstrained,
} from './constraint.ts'
export { describeError, Failure, fail, type OvsdbError } from './error.ts'
export {
  type ColumnSchema,
  columnOf,
  type DatabaseSchema,
  parseSchema,
  printSchema,
  type Row,
  readSchema,
  type TableSchema,
  UUID_COLUMN,
  VERSION_COLUMN,
} from './schema.ts'
export { type BaseType, type ColumnType, columnType, defaultDatum, type Shape, UNLIMITED } from './type.ts'
