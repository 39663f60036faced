/** Texts, most of which occur often: each once, and where it stands. */
export interface PackedTexts {
  readonly distinct: readonly string[];
  readonly ordinals: Int32Array;
}

/** `texts` as a snapshot keeps them: a hundred thousand runs have few agents, and each text is written with its length. */
export function packTexts(texts: readonly string[]): PackedTexts {
  const known = new Map<string, number>();
  const ordinals = new Int32Array(texts.length);
  for (let i = 0; i < texts.length; i++) {
    const text = texts[i]!;
    let ordinal = known.get(text);
    if (ordinal === undefined) known.set(text, (ordinal = known.size));
    ordinals[i] = ordinal;
  }
  return { distinct: [...known.keys()], ordinals };
}

/** The texts that were packed. */
export function unpackTexts({ distinct, ordinals }: PackedTexts): string[] {
  const texts: string[] = [];
  for (let i = 0; i < ordinals.length; i++) texts.push(distinct[ordinals[i]!]!);
  return texts;
}
