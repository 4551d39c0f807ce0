const MAX_DISTANCE = 3;

/**
 * The known name that `name` was probably meant to be, for "did you mean": the nearest of those that are at most three
 * insertions, deletions or replacements of a character away, and the first of equals.
 */
export function nearestName(name: string, knownNames: Iterable<string>): string | undefined {
  let nearest: string | undefined;
  let limit = MAX_DISTANCE;
  for (const known of knownNames) {
    const distance = levenshtein(name, known, limit);
    if (distance > limit) continue;
    nearest = known;
    limit = distance - 1;
  }
  return nearest;
}

/** The distance of `a` and `b` if it is at most `limit`, else something greater. The limit keeps the search small. */
function levenshtein(a: string, b: string, limit: number): number {
  let same = 0;
  while (same < a.length && a[same] === b[same]) same++;
  const [restA, restB] = [a.slice(same), b.slice(same)];
  if (!restA || !restB) return Math.max(restA.length, restB.length);
  if (limit <= 0) return 1;
  const inserted = levenshtein(restA, restB.slice(1), limit - 1);
  const deleted = levenshtein(restA.slice(1), restB, limit - 1);
  const replaced = levenshtein(restA.slice(1), restB.slice(1), limit - 1);
  return 1 + Math.min(inserted, deleted, replaced);
}
