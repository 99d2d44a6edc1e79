import { expect, it } from 'vitest';
import { pathText } from '../../../deploy/cli/status.ts';
import { openToAll } from '../../../deploy/host/open-to-all.ts';
import type { SluiceConfig } from '../../../schemas/config.ts';
import { parseConfig } from '../../../schemas/config-file.ts';

const configOf = (yaml: string): SluiceConfig => {
  const parsed = parseConfig(`streams: [{team: a, app: x}]\n${yaml}\n`, { file: 'sluice.yaml', env: {}, baseDir: '.' });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.config;
};

it('tells what a path has in its spool, for how long, and that its breaker is open', () => {
  const path = {
    stream: 'a/x',
    path: 'kinesis',
    breaker: 'open',
    queueBytes: 10,
    spoolRecords: 3,
    spoolBytes: 300,
    spoolAgeMs: 4_600,
  } as const;
  expect(pathText(path)).toBe('a/x kinesis: breaker open, 10 bytes wait; 3 records (300 bytes) in its spool, the oldest for 5 s');
  expect(pathText({ ...path, spoolRecords: 0, breaker: 'half-open' })).toBe('a/x kinesis: breaker half-open, 10 bytes wait');
});

it.each([
  ['ingress: {host: 0.0.0.0}', true],
  ['ingress: {host: 192.0.2.1}', true],
  ['ingress: {host: "::"}', true],
  ['ingress: {host: "::1"}', false],
  ['ingress: {host: localhost}', false],
  ['ingress: {host: 127.0.0.2}', false],
  ['', false],
  [`ingress: {host: 0.0.0.0}\nkeys: [{name: k, sha256: ${'a'.repeat(64)}, streams: [a/x]}]`, false],
])('knows whether everybody who can reach it may write: %s', (yaml, expected) => {
  expect(openToAll(configOf(yaml)) !== undefined).toBe(expected);
});
