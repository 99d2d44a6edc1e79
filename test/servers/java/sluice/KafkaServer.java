package sluice;

/** A broker with its log formatted first, in one JVM: args = cluster id, server.properties. */
public final class KafkaServer {
  public static void main(String[] args) throws Exception {
    String[] format = {"format", "--ignore-formatted", "-t", args[0], "-c", args[1]};
    int code = kafka.tools.StorageTool.execute(format, System.out);
    if (code != 0) System.exit(code);
    kafka.Kafka.main(new String[] {args[1]});
  }
}
