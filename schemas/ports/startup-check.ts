/**
 * What a service needs of the world before it starts.
 */
export interface StartupCheck {
  /** Such as `Kinesis stream rpp-promo-clicks-dev (rpp/promo-clicks)`. */
  readonly what: string;
  /**
   * Resolves with what was found, in a few words; rejects with what is missing and how it is
   * fixed.
   */
  readonly look: () => Promise<string>;
}
