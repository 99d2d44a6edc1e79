package sluice.flink;

import java.io.Closeable;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.S3ClientBuilder;
import software.amazon.awssdk.services.s3.model.GetObjectRequest;
import software.amazon.awssdk.services.s3.model.NoSuchKeyException;

/**
 * Where the data of claims is: `claims/` below a prefix of a bucket, as the engine has it, or a
 * folder, for a try. A key is `team/app/...` and was checked.
 */
public interface ClaimStore extends Closeable {
  /** Null where nothing is stored under the key. Throws where the store cannot be asked. */
  byte[] get(String key) throws IOException;

  /** Of the setting `claims`, as JSON: `{"bucket", "prefix", "region", "endpoint"}` or `{"folder"}`; null without. */
  static ClaimStore of(String json) {
    if (json == null) return null;
    JsonNode claims;
    try {
      claims = new ObjectMapper().readTree(json);
    } catch (IOException cause) {
      throw new IllegalArgumentException("the setting claims is not JSON", cause);
    }
    if (claims.has("folder")) return new Folder(Path.of(claims.get("folder").asText()));
    return new Bucket(claims);
  }

  /** As deploy/stores/local/local-blob-store.ts keeps it. */
  final class Folder implements ClaimStore {
    private final Path root;

    Folder(Path root) {
      this.root = root;
    }

    @Override
    public byte[] get(String key) throws IOException {
      try {
        return Files.readAllBytes(root.resolve(key));
      } catch (NoSuchFileException cause) {
        // A folder that is gone has lost nothing that can be told from what was never there.
        if (Files.isDirectory(root)) return null;
        throw new IOException("the folder of claims, " + root + ", is not there", cause);
      }
    }

    @Override
    public void close() {}
  }

  /** As deploy/stores/s3/s3-blob-store.ts keeps it. */
  final class Bucket implements ClaimStore {
    /** Connecting, and silence of one answer. */
    private static final Duration CONNECT = Duration.ofSeconds(5);
    private static final Duration SILENT = Duration.ofSeconds(30);
    private final String bucket;
    private final String prefix;
    private final S3Client client;

    Bucket(JsonNode claims) {
      bucket = claims.path("bucket").asText();
      prefix = claims.path("prefix").asText("") + "claims/";
      S3ClientBuilder builder =
          S3Client.builder()
              .httpClientBuilder(UrlConnectionHttpClient.builder().connectionTimeout(CONNECT).socketTimeout(SILENT));
      if (claims.has("region")) builder.region(Region.of(claims.get("region").asText()));
      if (claims.has("endpoint"))
        builder.endpointOverride(URI.create(claims.get("endpoint").asText())).forcePathStyle(true);
      client = builder.build();
    }

    @Override
    public byte[] get(String key) throws IOException {
      GetObjectRequest request = GetObjectRequest.builder().bucket(bucket).key(prefix + key).build();
      try {
        return client.getObjectAsBytes(request).asByteArray();
      } catch (NoSuchKeyException cause) {
        return null;
      } catch (SdkException cause) {
        throw new IOException("claims cannot be read from the bucket " + bucket + ": " + cause.getMessage(), cause);
      }
    }

    @Override
    public void close() {
      client.close();
    }
  }
}
