// All other headers stay here: a cookie, an Authorization or those of a proxy are not for the app behind, nor for a file.
const ALLOWED =
  /^(content-type|content-encoding|user-agent|x-pathfinder-[a-z0-9-]+|x-request-id|traceparent|tracestate)$/;

/** The headers of a delivery that are sent on and saved: those that belong to it, and none that is meant for this hop. */
export function keptHeaders(headers: Readonly<Record<string, string | readonly string[] | undefined>>) {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (ALLOWED.test(name) && value !== undefined) kept[name] = [value].flat().join(', ');
  }
  return kept;
}
