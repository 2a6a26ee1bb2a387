export { createFile, FileStorage, type FileStorageOptions, type OpenedFile, openFile } from './file-storage.ts'
export type { FileSystem, LogFile } from './files.ts'
export { encodeRecord, readRecord } from './log.ts'
export { MemoryStorage, type Storage } from './storage.ts'
