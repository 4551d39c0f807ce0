/**
 * A clock for leases and retentions of this process: Unix milliseconds when it was made, and from then on only what has really
 * passed. A step of the host's wall clock neither ends a lease nor makes one last; a test that fakes `performance` moves it.
 */
export function createSteadyClock(): () => number {
  let offsetMs = Date.now() - performance.now();
  let lastMs = Number.NEGATIVE_INFINITY;
  return () => {
    const monotonicMs = performance.now();
    // Only a faked clock that takes the place of the real one begins anew: this one goes on from where it was.
    if (monotonicMs < lastMs) offsetMs += lastMs - monotonicMs;
    lastMs = monotonicMs;
    return Math.floor(offsetMs + monotonicMs);
  };
}
