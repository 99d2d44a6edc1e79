package sluice.flink.neo4j;

import java.io.Serializable;
import sluice.flink.Place;
import sluice.flink.Secret;

/** Where a graph is, and who writes it. The password is read where the job runs. */
final class Access implements Serializable {
  private static final long serialVersionUID = 1;

  final String url;
  final String user;
  /** Null: the user's home database. */
  final String database;
  final Secret password;
  /** How long what may pass is tried again. */
  final long retryMaxMs;

  private static final long RETRY_MAX_MS = 30_000;

  Access(Place place) {
    url = place.text("url");
    user = place.text("user", "neo4j");
    database = place.text("database", null);
    retryMaxMs = place.number("retryMaxMs", RETRY_MAX_MS);
    password = Secret.of(place, "password");
  }
}
