/**
 * The faults that `npm run chart:apiserver` plants, each of which must be found by the server or by
 * the tests of the rendered chart; and the command itself, for the least values. The server takes
 * ten minutes to compile, so the command is run only where it was run before.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { runScript } from '../../repo/support.ts';
import { pythonMissing } from '../../servers/cache.ts';
import { helmMissing, openHelm } from '../../servers/helm.ts';
import { isApiServerCompiled } from '../../servers/kube-api-server.ts';
import { outsideOf, render, valueSet } from './chart.ts';
import type { Manifest } from './manifest.ts';
import { planted, plantedFaults } from './planted-faults.ts';
import { findUnsafePods } from './pods.ts';
import { findLooseEnds } from './references.ts';

const isMissing = helmMissing() !== undefined || pythonMissing() !== undefined;
const values = valueSet('production-aws');

describe.skipIf(isMissing)('faults for the API server', () => {
  let objects: readonly Manifest[];
  beforeAll(async () => {
    objects = await render(await openHelm(), values);
  }, 300_000);

  it.each(plantedFaults)('$name: in one object', ({ ...fault }) => {
    const [object, all] = planted(fault, objects);
    expect(all.filter((each, at) => each !== objects[at])).toEqual([object]);
    expect(objects).not.toContainEqual(object);
  });

  it.each(plantedFaults.filter(({ status }) => status === 201))(
    '$name: found here, as the server takes it',
    (fault) => {
      const [, all] = planted(fault, objects);
      const found = [...findLooseEnds(all, outsideOf(values)), ...findUnsafePods(all)];
      expect(found.length).toBeGreaterThan(0);
    },
  );
});

const isCompiled = isApiServerCompiled();
if (!isCompiled) console.log('skipped: no API server here; "npm run chart:apiserver" compiles it');

it.skipIf(isMissing || !isCompiled)(
  'the least release lives at a real API server',
  { timeout: 300_000 },
  async () => {
    const said = await runScript('tools/chart-apiserver.js', 'minimal');
    expect(said).toMatch(/^\d+ steps, 0 differences\nexit 0$/m);
  },
);
