#include "cluster/kmeans/nearest_tile.hpp"

namespace mlcore::kmeans {

NearestTile nearest_tile_of(std::size_t m) {
    static constexpr auto kernels = []<std::size_t... I>(std::index_sequence<I...>) {
        return std::array<NearestTile, tile_centers>{&nearest_tile<I + 1>...};
    }(std::make_index_sequence<tile_centers>{});
    return kernels[m - 1];
}

ValuesTile values_tile_of(std::size_t m) {
    static constexpr auto kernels = []<std::size_t... I>(std::index_sequence<I...>) {
        return std::array<ValuesTile, tile_centers>{&values_tile<I + 1>...};
    }(std::make_index_sequence<tile_centers>{});
    return kernels[m - 1];
}

} // namespace mlcore::kmeans
