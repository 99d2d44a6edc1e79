/** Operational faults of topologies: how they are written, checked, loaded, run and restored. */
import type { OperationalEntry } from './entry.ts';

export const topologyCodes = {
  'checkpoint-corrupt': {
    retryable: false,
    means: 'A checkpoint cannot be read.',
    fix: 'Restore it from a copy, or start from an empty state with `sluice reset`.',
  },
  'checkpoint-failed': {
    retryable: 'sometimes',
    means: 'A checkpoint could not be stored.',
    fix: 'Nothing: it is tried again. Look at the cause in the message.',
  },
  'checkpoint-timeout': {
    retryable: 'sometimes',
    means: 'A checkpoint took too long.',
    fix: 'Nothing: it is tried again. Look at the sink or store that is slow.',
  },
  'connector-missing': {
    retryable: false,
    means: 'The topology uses a look-up connector that is not configured.',
    fix: 'Add it to `lookups` in the configuration, or to the test driver.',
  },
  'drop-state-ambiguous': {
    retryable: false,
    means: 'Several topologies have an operator with this id.',
    fix: 'Write `topology/operator`.',
  },
  'drop-state-unknown': {
    retryable: false,
    means: '`--drop-state` names an operator that has no state.',
    fix: 'Use one of the ids that the message lists.',
  },
  fenced: {
    retryable: false,
    means: 'A newer run of the topology has taken over.',
    fix: 'Stop this one; nothing is lost.',
  },
  'function-result': {
    retryable: false,
    means: 'A function of the topology returned what its place does not allow.',
    fix: 'Correct the function.',
  },
  'function-stuck': {
    retryable: false,
    means: 'A function of the topology did not return.',
    fix: 'Look for an endless loop or a slow regular expression.',
  },
  'invalid-key': {
    retryable: false,
    means: 'A key is not a string, a number, a boolean or a tuple of them.',
    fix: 'Correct the function that returns the key.',
  },
  'not-json-safe': {
    retryable: false,
    means: 'A value between operators, or a state, is not JSON.',
    fix: 'Use plain objects, arrays, strings, finite numbers, booleans and null.',
  },
  'restore-refused': {
    retryable: false,
    means: 'The topology does not fit its last checkpoint.',
    fix: 'Undo the change, or drop the state with `--drop-state`.',
  },
  'savepoint-exists': {
    retryable: false,
    means: 'The topology has a savepoint of that name.',
    fix: 'Choose another name, or delete it with `sluice savepoint delete`.',
  },
  'savepoint-failed': {
    retryable: 'sometimes',
    means: 'A savepoint was not taken.',
    fix: 'Look at the cause in the message, and take it again.',
  },
  'savepoint-name-invalid': {
    retryable: false,
    means: 'It cannot be the name of a savepoint.',
    fix: 'Use at most 64 letters, digits, `.`, `_` and `-`, the first a letter or a digit.',
  },
  'savepoint-unknown': {
    retryable: false,
    means: 'There is no such savepoint.',
    fix: 'Use one that `sluice savepoint list` shows.',
  },
  'schema-invalid': {
    retryable: false,
    means: 'A JSON Schema is not valid, or does not fit its use.',
    fix: 'Correct the schema at the place that the message names.',
  },
  'schema-unreadable': {
    retryable: false,
    means: 'The file of a schema cannot be read.',
    fix: 'Correct the path or the file.',
  },
  'sink-unknown': {
    retryable: false,
    means: 'The topology has no such sink, or the sink is of no known kind.',
    fix: 'Use one of the sinks that the message lists.',
  },
  'skip-refused': {
    retryable: false,
    means: 'The split was not skipped: it can be read, or the topology is not running.',
    fix: 'See `sluice status`.',
  },
  'source-unknown': {
    retryable: false,
    means: 'The topology has no such source.',
    fix: 'Use one of the sources that the message lists.',
  },
  'split-ambiguous': {
    retryable: false,
    means: 'Several splits have this name.',
    fix: 'Use one of the full names that the message lists.',
  },
  'split-unknown': {
    retryable: false,
    means: 'The topology reads no such split.',
    fix: 'Use one of the names that the message lists.',
  },
  'state-disk-failed': {
    retryable: true,
    means: 'A file of state at rest, on the local disk, could not be written or read.',
    fix: 'Free space on the disk, or check it. The topology restarts from its checkpoint, which needs nothing of these files.',
  },
  'state-folder-unusable': {
    retryable: false,
    means: 'The folder for state on disk cannot be made, written or locked.',
    fix: 'Set `enrich.state.folder` (`local.state.folder` for `sluice start`) to a folder on a local disk that the user may write.',
  },
  'state-unwritable': {
    retryable: false,
    means: 'A state cannot be written as JSON.',
    fix: 'Keep only JSON in the state.',
  },
  'stop-timeout': {
    retryable: false,
    means: 'The topology did not take its last checkpoint in time.',
    fix: 'Nothing: it resumes from the previous checkpoint.',
  },
  'topology-altered': {
    retryable: false,
    means: 'The built topology, or its source, was changed after it was built.',
    fix: 'Run `sluice topology build` again.',
  },
  'topology-compile': {
    retryable: false,
    means: 'The topology cannot be compiled.',
    fix: 'Correct the place that the message names.',
  },
  'topology-invalid': {
    retryable: false,
    means: 'The topology has errors.',
    fix: 'Correct what the message lists.',
  },
  'topology-load': {
    retryable: false,
    means: 'The topology failed while it was loaded, or has no default export.',
    fix: 'Correct what its modules do when they are loaded.',
  },
  'topology-name-taken': {
    retryable: false,
    means: 'Two files have topologies of one name.',
    fix: 'Rename one of them.',
  },
  'topology-out-of-memory': {
    retryable: false,
    means: 'The topology used up its memory.',
    fix: 'Look for memory that grows without a bound in its modules or functions.',
  },
  'topology-silent': {
    retryable: false,
    means: 'The topology did not answer `sluice skip` in time; it may still skip.',
    fix: 'See `sluice status`.',
  },
  'topology-starting': {
    retryable: true,
    means: 'The topology is starting.',
    fix: 'Run the command again.',
  },
  'topology-unbuilt': {
    retryable: false,
    means: 'The topology was not built.',
    fix: 'Run `sluice topology build`.',
  },
  'topology-unknown': {
    retryable: false,
    means: 'The instance runs no such topology.',
    fix: 'Use one of the names that the message lists.',
  },
  'trial-aborted': {
    retryable: false,
    means: 'The instance shut down while it tried a topology.',
    fix: 'Nothing: the next start tries it.',
  },
  'trial-failed': {
    retryable: false,
    means: 'No process could be started to try the topology.',
    fix: 'Look at the cause in the message.',
  },
  'trial-timeout': {
    retryable: true,
    means: 'The check of whether a changed topology can take over did not finish in time.',
    fix: 'Save the file again.',
  },
  types: {
    retryable: false,
    means: 'The types of the topology do not check.',
    fix: 'Correct the places that the message lists.',
  },
  'types-failed': {
    retryable: false,
    means: 'The type check failed.',
    fix: 'Look at the cause in the message.',
  },
  'types-timeout': {
    retryable: false,
    means: 'The type check took too long.',
    fix: 'Simplify the types; `npx tsc --extendedDiagnostics` shows the time.',
  },
  'types-unchecked': {
    retryable: false,
    means: 'The types of the file cannot be checked.',
    fix: 'Correct what the message names.',
  },
  'worker-ended': {
    retryable: false,
    means: 'The thread of the topology ended.',
    fix: 'Nothing: it is started again from its last checkpoint.',
  },
} as const satisfies Readonly<Record<string, OperationalEntry>>;
