/**
 * `npm run image`: builds the image without a daemon and writes it to `.build/sluice-image.tar`, for
 * `docker load` or `podman load`. It needs the rights of root.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root, run } from '../repo/files.ts';
import type { ContainerStore } from '../servers/containers.ts';
import { containersMissing, openContainers } from '../servers/containers.ts';

/** Builds the image of this folder as it is; its tag has the version of the package. */
export async function makeImage(store: ContainerStore): Promise<string> {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    version: string;
  };
  const tag = `localhost/sluice:${version}`;
  await store.build(tag, join(root, 'deploy', 'docker', 'Dockerfile'), root, {
    VERSION: version,
    REVISION: run(root, 'git', 'rev-parse', 'HEAD').stdout.trim(),
  });
  return tag;
}

/** Writes the image to a file; a line that says what it is. */
export async function saveImage(store: ContainerStore, tag: string, file: string): Promise<string> {
  mkdirSync(dirname(file), { recursive: true });
  rmSync(file, { force: true });
  await store.save(tag, file);
  const megabytes = Math.round((await store.sizeBytes(tag)) / 1e6);
  return `${tag}: ${megabytes} MB unpacked, in ${file}`;
}

async function main(): Promise<number> {
  if (containersMissing() !== undefined) return 1;
  const store = await openContainers();
  try {
    const file = join(root, '.build', 'sluice-image.tar');
    console.log(await saveImage(store, await makeImage(store), file));
    return 0;
  } finally {
    await store.remove();
  }
}

if (resolve(process.argv[1] ?? '') === fileURLToPath(import.meta.url))
  process.exitCode = await main();
