/**
 * Values of `team` that readers take for something else, or that a folder's name cannot have as
 * they are.
 */

/** Values that folders are named by, each of them one partition. */
export const teams: readonly string[] = [
  ...[
    'plain',
    'Plain',
    'café',
    '日本',
    '😀',
    'null',
    'NULL',
    'Null',
    'none',
    '007',
    'true',
    '2026-01-01',
    '1e5',
    '..',
    '%41',
    '~',
    'e\u0301',
    '\u00e9',
  ],
  ...[
    'a/b c=%',
    'x\n\0y\t\'"*?[]{}',
    'a+b&c;d,e:f',
    '\u2028\u00a0z',
    'é'.repeat(125),
    '__hive_default_partition__',
    ' ',
  ],
];
