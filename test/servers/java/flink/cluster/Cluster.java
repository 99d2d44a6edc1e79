package cluster;

import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.GlobalConfiguration;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.plugin.PluginUtils;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;

/** A Flink cluster in this JVM, with its REST endpoint. `args`: the folder of its configuration. */
public final class Cluster {
  public static void main(String[] args) throws Exception {
    Configuration configuration = GlobalConfiguration.loadConfiguration(args[0]);
    // As the processes of a cluster do: with the plugins in FLINK_PLUGINS_DIR.
    FileSystem.initialize(configuration, PluginUtils.createPluginManagerFromRootFolder(configuration));
    MiniCluster cluster =
        new MiniCluster(
            new MiniClusterConfiguration.Builder()
                .setConfiguration(configuration)
                .setNumTaskManagers(1)
                .setNumSlotsPerTaskManager(4)
                .build());
    cluster.start();
    System.out.println("FLINK-REST " + cluster.getRestAddress().get());
    Thread.currentThread().join();
  }
}
