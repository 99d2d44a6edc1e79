/**
 * The ready mappings in the embedded graph.
 */
import { mkdirSync } from 'node:fs';
import { graphMappingsContract } from '../../../contract/graph-mappings.ts';
import { temporaryFolders } from '../../support.ts';
import { ladybugRig } from '../support.ts';

const newFolder = temporaryFolders('mappings');

graphMappingsContract('Ladybug', {
  open: () => {
    const folder = newFolder();
    mkdirSync(folder, { recursive: true });
    return ladybugRig(folder);
  },
  runs: 15,
});
