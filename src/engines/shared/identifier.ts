/**
 * Checks a text that becomes part of the name of a table, since no database takes names as parameters.
 *
 * @param mostCharacters - Default 63.
 * @throws TypeError for what is not `A-Z a-z 0-9 _` without a digit first, or too long.
 */
export function checkIdentifier(option: string, value: string, mostCharacters = 63): string {
  const pattern = new RegExp(`^[A-Za-z_][A-Za-z0-9_]{0,${mostCharacters - 1}}$`);
  if (typeof value === 'string' && pattern.test(value)) return value;
  throw new TypeError(`\`${option}\` must match ${pattern.source}.`);
}
