# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Small prepared TFDS sets, written as TFDS has them, without TensorFlow."""

import io

import tensorflow_datasets as tfds
from array_record.python.array_record_module import ArrayRecordWriter
from PIL import Image


def png(image):
    """The content of a PNG file of an image, shape (H, W, 1) or (H, W, 3)."""
    file = io.BytesIO()
    Image.fromarray(image.squeeze()).save(file, "png", compress_level=0)
    return file.getvalue()


def write(folder, features, **splits):
    """Writes the examples of each split; their images are contents of files."""
    folder.mkdir(parents=True)
    features = tfds.features.FeaturesDict(features)
    infos = []
    for split, examples in splits.items():
        template = tfds.core.ShardedFileTemplate(
            data_dir=folder,
            dataset_name=folder.parent.name,
            split=split,
            filetype_suffix="array_record",
        )
        shard = template.sharded_filepath(shard_index=0, num_shards=1)
        writer = ArrayRecordWriter(str(shard), "group_size:1")
        for example in examples:
            image = io.BytesIO(example["image"])
            encoded = features.encode_example(example | {"image": image})
            writer.write(features.serialize_example(encoded))
        writer.close()
        infos.append(tfds.core.SplitInfo(split, [len(examples)], 1, template))
    tfds.folder_dataset.write_metadata(
        data_dir=folder,
        features=features,
        split_infos=infos,
        check_data=False,  # which needs TensorFlow
    )
