export { atomJson, datumJson, readDatum, writeAtom, writeDatum } from './datum.ts'
export { readColumns, readCondition, readRow, WireOperations, writeError, writeResults, writeRow } from './operation.ts'
