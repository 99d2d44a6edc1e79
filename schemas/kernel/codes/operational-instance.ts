/** Operational faults of an instance, its configuration, its folder and its commands. */
import type { OperationalEntry } from './entry.ts';

export const instanceCodes = {
  'address-secret-invalid': {
    retryable: false,
    means: 'The secret for hashing client addresses cannot be read, or is too short.',
    fix: 'Write at least 16 random characters into the file of `ingress.address_secret_file`.',
  },
  'address-unusable': {
    retryable: false,
    means: 'The server cannot listen on the configured address.',
    fix: 'Set `host` and `port` to an address of this machine and a port that the user may use.',
  },
  'already-running': {
    retryable: false,
    means: 'Another instance uses the folder.',
    fix: 'Stop it, or choose another folder with `--dir`.',
  },
  'certificate-refused': {
    retryable: false,
    means: 'The certificate of the server is not trusted.',
    fix: 'Use the name it was issued for, or set `NODE_EXTRA_CA_CERTS`.',
  },
  'command-failed': {
    retryable: true,
    means: 'The instance failed while it handled a command.',
    fix: 'Look at its log, then run the command again.',
  },
  'command-too-large': {
    retryable: false,
    means: 'The command is larger than the instance reads.',
    fix: 'Send a shorter statement.',
  },
  'command-unknown': {
    retryable: false,
    means: 'The instance does not know the command.',
    fix: 'Use the CLI of the same version as the instance.',
  },
  'config-incomplete': {
    retryable: false,
    means: 'The configuration lacks a setting that this service needs.',
    fix: 'Add the key that the message names.',
  },
  'config-invalid': {
    retryable: false,
    means: 'The configuration has errors.',
    fix: 'Correct the lines that the message names; `sluice config check` checks again.',
  },
  'config-missing': {
    retryable: false,
    means: 'The configuration file cannot be read.',
    fix: 'Choose another file with `--config`.',
  },
  'config-refused': {
    retryable: false,
    means: 'A changed configuration was not applied; the old one is still in force.',
    fix: 'Correct the file, or restart if the message says so.',
  },
  'control-not-trusted': {
    retryable: false,
    means: 'The control socket is in a folder that another user could have made.',
    fix: 'Run the command as the user that runs the instance.',
  },
  defect: {
    retryable: false,
    means: 'Something failed that should not be able to fail.',
    fix: 'Report it with the log.',
  },
  'drain-failed': {
    retryable: true,
    means: 'The topology ended before it was drained.',
    fix: 'Drain it again; it resumes from its last checkpoint.',
  },
  'drain-refused': {
    retryable: false,
    means: 'The topology is not running, so it cannot be drained.',
    fix: 'Start it, then drain it.',
  },
  'file-denied': {
    retryable: false,
    means: 'The file cannot be read by this user.',
    fix: 'Run the command as a user who may read it.',
  },
  'file-invalid': {
    retryable: false,
    means: 'The path is a folder.',
    fix: 'Pass a file.',
  },
  'file-missing': {
    retryable: false,
    means: 'The file does not exist.',
    fix: 'Correct the path, or use `-` for standard input.',
  },
  'folder-denied': {
    retryable: false,
    means: 'The folder belongs to another user.',
    fix: 'Run the command as the user that runs the instance.',
  },
  'folder-in-use': {
    retryable: true,
    means: 'Another process uses the folder.',
    fix: 'Stop it, or choose another folder.',
  },
  'folder-not-empty': {
    retryable: false,
    means: '`sluice init` needs an empty folder.',
    fix: 'Choose a folder that does not exist yet.',
  },
  'folder-not-private': {
    retryable: false,
    means: 'Other users can enter the folder, and it cannot be closed to them.',
    fix: 'Choose another folder with `--dir`, or run `chmod 700`.',
  },
  'folder-unusable': {
    retryable: false,
    means: 'The folder cannot be created, written or used.',
    fix: 'Choose another folder with `--dir`, or let the user of the message write it. In Kubernetes that is `securityContext.fsGroup`.',
  },
  'format-unknown': {
    retryable: false,
    means: 'The output format does not exist.',
    fix: 'Use one of the formats that the message lists.',
  },
  'from-invalid': {
    retryable: false,
    means: '`--from` is not a place in a stream.',
    fix: 'Write `oldest`, `latest`, a time that has passed, or `savepoint:NAME`.',
  },
  'input-damaged': {
    retryable: false,
    means: 'Compressed input is damaged or incomplete.',
    fix: 'Get the file again.',
  },
  'input-format': {
    retryable: false,
    means: 'The input has a format that `sluice send` does not read.',
    fix: 'Convert it to JSON in UTF-8.',
  },
  'input-not-json': {
    retryable: false,
    means: 'The input is not JSON.',
    fix: 'Correct it; use `--format lines` if each line is one event.',
  },
  'input-unreadable': {
    retryable: false,
    means: 'The input cannot be read.',
    fix: 'Look at the cause in the message.',
  },
  'jwks-file-invalid': {
    retryable: false,
    means: "The file with an issuer's keys is not a JSON Web Key Set.",
    fix: 'Correct `jwt[].jwks_file`.',
  },
  'jwks-late': {
    retryable: false,
    means: 'The issuer did not answer in time.',
    fix: 'Nothing: it is retried. Check its address if this lasts.',
  },
  'jwks-refused': {
    retryable: false,
    means: 'The issuer answered with an error.',
    fix: 'Check the address of its key set.',
  },
  'jwks-too-large': {
    retryable: false,
    means: 'The key set of an issuer is too large.',
    fix: 'Check the address of its key set.',
  },
  'key-invalid': {
    retryable: false,
    means:
      'The key in the environment is not a key, or an option of `sluice key` has a wrong value.',
    fix: 'Use the key exactly as `sluice key new` printed it.',
  },
  'key-file-invalid': {
    retryable: false,
    means: 'The file of `--key-file` cannot be read or written, or has no key.',
    fix: 'Delete it, and the next start makes one; or write keys of `sluice key new` into it, one a line.',
  },
  'load-missing': {
    retryable: false,
    means: '`sluice cost` needs a load.',
    fix: 'Add `--events` and `--size`, or `--measure`.',
  },
  'lock-failed': {
    retryable: false,
    means: 'The folder cannot be locked.',
    fix: 'Use a folder that this user may write, on a file system with locks.',
  },
  'lock-native-missing': {
    retryable: false,
    means: 'The package that locks folders has no binary for this machine.',
    fix: 'Run `npm ci` again.',
  },
  'metrics-unreadable': {
    retryable: true,
    means: 'The metrics of an ingress cannot be read, or do not fit each other.',
    fix: 'Check the address, then measure again.',
  },
  'name-invalid': {
    retryable: false,
    means: '`--name` is not a name of a key.',
    fix: 'Use the form that the message names.',
  },
  'not-an-event': {
    retryable: false,
    means: 'The spool has a record that is not an event that can be sent.',
    fix: 'Look at it with `sluice refused show`, then drop it.',
  },
  'not-confirmed': {
    retryable: false,
    means: 'The command deletes data and was not confirmed.',
    fix: 'Add `--yes`.',
  },
  'not-healthy': {
    retryable: true,
    means: 'The instance answers that it is not healthy, or not ready.',
    fix: 'Look at the reason in the message, and at `sluice status`.',
  },
  'not-ours': {
    retryable: false,
    means: 'The folder has files that Sluice did not make.',
    fix: 'Choose the right folder with `--dir`.',
  },
  'not-reachable': {
    retryable: true,
    means: 'The instance does not answer.',
    fix: 'Look at its log.',
  },
  'not-running': {
    retryable: false,
    means: 'No instance runs on the folder.',
    fix: 'Start one with `sluice start`.',
  },
  'open-to-all': {
    retryable: false,
    means: 'The server would accept events from other machines without keys.',
    fix: 'Add keys, or listen on loopback only.',
  },
  'option-invalid': {
    retryable: false,
    means: 'An option has a value that the command does not accept.',
    fix: 'Use a value that the message names.',
  },
  'origin-invalid': {
    retryable: false,
    means: '`--origin` is not an origin of pages.',
    fix: 'Use the form that the message names.',
  },
  'port-invalid': {
    retryable: false,
    means: '`--port` is not a port.',
    fix: 'Use a whole number from 0 to 65535.',
  },
  'port-taken': {
    retryable: false,
    means: 'Another process listens on the port.',
    fix: 'Stop it, or choose another port.',
  },
  'prices-invalid': {
    retryable: false,
    means: 'The file of prices has an error.',
    fix: 'Correct what the message names.',
  },
  refused: {
    retryable: 'sometimes',
    means: 'The instance refused a command and gave no code.',
    fix: 'Use the CLI of the same version as the instance.',
  },
  'refused-action': {
    retryable: false,
    means: '`sluice refused` does not know the action.',
    fix: 'Use `list`, `show`, `send` or `drop`.',
  },
  'send-refused': {
    retryable: false,
    means: 'The server refused to accept events.',
    fix: 'Correct what the message names, then run the command again.',
  },
  'send-timeout': {
    retryable: true,
    means: 'The server accepted nothing for too long.',
    fix: 'Check that an ingress runs there, then run the command again.',
  },
  'savepoint-invalid': {
    retryable: false,
    means: 'The arguments of `sluice savepoint` do not belong together.',
    fix: 'Call it as the message says.',
  },
  'skip-invalid': {
    retryable: false,
    means: '`sluice skip` was not told how far to skip.',
    fix: 'Use one of the options that the message lists.',
  },
  'socket-path-too-long': {
    retryable: false,
    means: 'No folder for the control socket has a short enough path.',
    fix: 'Set `XDG_RUNTIME_DIR` or `TMPDIR` to a shorter path.',
  },
  'spooled-events': {
    retryable: false,
    means: 'The folder has events that were acknowledged and exist nowhere else.',
    fix: 'Start the ingress to deliver them, or move the folders away.',
  },
  'spool-failed': {
    retryable: true,
    means: 'An event cannot be kept in its spool.',
    fix: 'Look at the disk, then run the command again.',
  },
  'startup-checks-failed': {
    retryable: false,
    means: 'Something that the service needs is missing; nothing was started.',
    fix: 'Correct everything that the message lists.',
  },
  'stream-invalid': {
    retryable: false,
    means: '`--stream` is not the name of a stream.',
    fix: 'Write `team/app`.',
  },
  'url-invalid': {
    retryable: false,
    means: '`--url` is not an address that the command accepts.',
    fix: 'Write an address such as `http://127.0.0.1:8080`, without user, query or fragment.',
  },
  'url-not-http': {
    retryable: false,
    means: 'The server does not speak HTTP.',
    fix: 'Check the address; with TLS it begins with `https://`.',
  },
  'url-not-tls': {
    retryable: false,
    means: 'The server does not speak TLS.',
    fix: 'Check the address, or use `http://`.',
  },
  'url-unknown': {
    retryable: false,
    means: 'The host name has no address.',
    fix: 'Check the address.',
  },
} as const satisfies Readonly<Record<string, OperationalEntry>>;
