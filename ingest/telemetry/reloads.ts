/**
 * What became of changes to the configuration while it ran: for the log, the metrics and the
 * status.
 */

export interface ReloadState {
  readonly taken: number;
  readonly refused: number;
  /** Why the file on disk is not what is in force, and since when (epoch ms). */
  readonly refusal: { readonly sinceMs: number; readonly why: string } | null;
}

export interface Reloads {
  took(): void;
  /** The first of several refusals in a row says since when. */
  refused(why: string, nowMs: number): void;
  state(): ReloadState;
}

export const noReloads: ReloadState = { taken: 0, refused: 0, refusal: null };

export function createReloads(): Reloads {
  let state = noReloads;
  return {
    took() {
      state = { ...state, taken: state.taken + 1, refusal: null };
    },
    refused(why, nowMs) {
      state = {
        ...state,
        refused: state.refused + 1,
        refusal: { sinceMs: state.refusal?.sinceMs ?? nowMs, why },
      };
    },
    state: () => state,
  };
}
