/**
 * Where topologies keep state that is not used for now: a section of `enrich` and of `local`.
 */
import type { Finding, SectionRules } from './rule.ts';
import type { ValueOf } from './setting.ts';
import { choice, group, text } from './setting.ts';

export const state = group({
  description:
    'Where state is kept that was not used for a while. The checkpoint has all of it, so that nothing here has to be saved.',
  properties: {
    backend: choice({
      description:
        '`memory`; or `disk`, for state that is larger: files in `folder`, which the system keeps in its cache as far as there is memory.',
      default: 'memory',
      enum: ['memory', 'disk'],
    }),
    folder: text({
      description:
        'Folder on a local disk, for `backend: disk`. Each run of a topology has a folder of its own inside, removed when it ends. Unset: `state` in the folder of `sluice start`.',
      format: 'file',
      examples: ['/var/lib/sluice/state'],
    }),
  },
});

export type StateConfig = ValueOf<typeof state>;

function* folderIsThere({
  enrich,
}: {
  readonly enrich: { readonly state: StateConfig };
}): Iterable<Finding> {
  const { backend, folder } = enrich.state;
  if (backend === 'disk' && folder === undefined)
    yield {
      path: ['enrich', 'state', 'folder'],
      at: ['enrich', 'state'],
      message: 'is missing: state is kept on disk',
      expected: 'a folder on a local disk, such as /var/lib/sluice/state',
    };
}

export const stateRules: SectionRules<{ readonly enrich: { readonly state: StateConfig } }> = {
  whole: [folderIsThere],
};
