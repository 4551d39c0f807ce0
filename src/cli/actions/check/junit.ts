import type { Result } from './run-cases.ts';

/** The results as JUnit XML, as build servers read it. A warning is a passed test with a word on it. */
export function toJunit(results: readonly Result[]): string {
  const count = (state: Result['state']) => results.filter((result) => result.state === state).length;
  const totalSeconds = results.reduce((sum, { ms }) => sum + ms, 0) / 1000;
  const attributes = `tests="${results.length}" failures="${count('failed')}" errors="0" skipped="${count('skipped')}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${attributes} time="${totalSeconds.toFixed(3)}">`,
    `  <testsuite name="pathfinder-webhooks check" ${attributes} time="${totalSeconds.toFixed(3)}">`,
    ...results.map(testCase),
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

function testCase({ id, title, state, detail, why, cure, ms }: Result): string {
  const open = `    <testcase classname="check" name="${xml(`${id}: ${title}`)}" time="${(ms / 1000).toFixed(3)}"`;
  if (state === 'passed') return `${open}/>`;
  const inner = {
    failed: `<failure message="${xml(detail)}">${xml(`${why}\n${cure}`)}</failure>`,
    skipped: `<skipped message="${xml(detail)}"/>`,
    warning: `<system-out>${xml(`Warning: ${detail}\n${cure}`)}</system-out>`,
  }[state];
  return `${open}>${inner}</testcase>`;
}

// XML 1.0 has no way to write most control characters, so they are left out.
function xml(text: string): string {
  return text
    .replace(/[^\P{Cc}\n\t]|[\p{Cs}\ufffe\uffff]/gu, '')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
