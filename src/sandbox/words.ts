/**
 * Splits a command line into words as a shell does: blanks part words, quotes keep them together,
 * a backslash takes the next character as it is. Throws for a quote that is not closed.
 */
export function words(line: string): string[] {
  const out: string[] = []
  let word: string | undefined
  for (let i = 0; i < line.length; i++) {
    const c = line[i] as string
    if (c === "'" || c === '"') {
      word ??= ''
      for (i++; line[i] !== c; i++) {
        if (i >= line.length) throw new Error(`a quote ${c} is not closed: ${line}`)
        if (c === '"' && line[i] === '\\' && /["\\$]/.test(line[i + 1] ?? '')) i++
        word += line[i]
      }
    } else if (/\s/.test(c)) {
      if (word !== undefined) out.push(word)
      word = undefined
    } else if (c === '\\') word = (word ?? '') + (line[++i] ?? '')
    else word = (word ?? '') + c
  }
  if (word !== undefined) out.push(word)
  return out
}
