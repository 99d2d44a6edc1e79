import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openLadybug } from '../../../enrich/graph/ladybug-database.ts';
import { graphDatabaseContract } from '../../contract/graph-database.ts';
import { temporaryFolders } from '../support.ts';
import { ladybugRig } from './support.ts';

const newFolder = temporaryFolders('ladybug');
const folder = (): string => {
  const path = newFolder();
  mkdirSync(path, { recursive: true });
  return path;
};

graphDatabaseContract('Ladybug', { open: () => ladybugRig(folder()), runs: 25 });
void [writeFileSync, join, describe, expect, it, openLadybug];
