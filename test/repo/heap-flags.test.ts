import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { heapFlags } from '../bench/ingress-processes.ts';

const text = (path: string): string =>
  readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

it('starts the command, npm start and the servers of the benchmark with the same flags of the heap', () => {
  const flags = heapFlags.join(' ');
  expect(text('deploy/cli/main.ts').split('\n')[0]).toBe(`#!/usr/bin/env -S node ${flags}`);
  const { scripts } = JSON.parse(text('package.json')) as { scripts: Record<string, string> };
  expect(scripts['start']).toBe(`node ${flags} bundle/deploy/cli/main.js start`);
});
