/** `npm run dev`: the order of building, ending and starting. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { root } from './files.ts';

interface Restarter {
  changed(): Promise<void>;
  close(): Promise<void>;
}

const { restarter } = (await import(
  pathToFileURL(join(root, 'test', 'tools', 'dev.mjs')).href
)) as {
  readonly restarter: (parts: {
    build(): Promise<boolean>;
    start(): number;
    stop(running: number): Promise<void>;
  }) => Restarter;
};

function rig(builds: readonly boolean[] = []) {
  const happened: string[] = [];
  let [built, started] = [0, 0];
  let duringBuild: () => void = () => undefined;
  const dev = restarter({
    async build() {
      const compiles = builds[built++] ?? true;
      happened.push(compiles ? 'built' : 'broken');
      await Promise.resolve();
      duringBuild();
      return compiles;
    },
    start() {
      happened.push(`started ${++started}`);
      return started;
    },
    async stop(running) {
      happened.push(`stopping ${running}`);
      await Promise.resolve();
      happened.push(`stopped ${running}`);
    },
  });
  return { dev, happened, onBuild: (then: () => void) => (duringBuild = then) };
}

it('ends the old process before the next one starts', async () => {
  const { dev, happened } = rig();
  await dev.changed();
  await dev.changed();
  expect(happened).toEqual(['built', 'started 1', 'built', 'stopping 1', 'stopped 1', 'started 2']);
});

it('lets the old process run while the sources do not compile', async () => {
  const { dev, happened } = rig([true, false]);
  await dev.changed();
  await dev.changed();
  await dev.close();
  expect(happened).toEqual(['built', 'started 1', 'broken', 'stopping 1', 'stopped 1']);
});

it('builds once more for all that changed during a build', async () => {
  const { dev, happened, onBuild } = rig();
  onBuild(() => {
    onBuild(() => undefined);
    void dev.changed();
    void dev.changed();
  });
  await dev.changed();
  expect(happened.filter((what) => what === 'built')).toHaveLength(2);
});
