/**
 * The ready mappings in the embedded graph.
 */
import { mkdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { readStatement } from '../../../../enrich/graph/ladybug/read-statement.ts';
import { influenceQuestions, journeyQuestions } from '../../../../enrich/index.ts';
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

it.each([...Object.entries(journeyQuestions), ...Object.entries(influenceQuestions)])(
  'the question %s is one that `sluice graph` takes',
  (_, { cypher }) => {
    expect(readStatement(cypher)).toMatchObject({ kind: 'asks' });
  },
);
